import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import { builder, defineMaster, git, project, worker } from '../../../src/config/define.ts';
import type { GitSource } from '../../../src/config/values.ts';
import { sh } from '../../../src/config/steps/sh.ts';

const builders = [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })];

function check(...sources: readonly GitSource[]) {
  const projects = sources.map((source, n) => project(`p${n}`, { source, builders }));
  return checkConfig('c0ffee', defineMaster({ title: 'T', workers: [worker('w')], projects }));
}

function mistakes(...sources: readonly GitSource[]): readonly string[] {
  const checked = check(...sources);
  return 'mistakes' in checked ? checked.mistakes : [];
}

test('a source that is polled says how, with what was left out', () => {
  const checked = check(
    git('ssh://ci@h/x.git', { poll: '5m', sshKeyFile: 'secrets/k', knownHostsFile: '/k', branches: ['main', /^r/] }),
    git('https://ann@h/x.git', {
      poll: '1h',
      passwordFile: 'secrets/p',
      branches: true,
      tags: 'v*',
      skip: ['no build'],
      pollAtStart: true,
    }),
    git('/x.git', { branch: 'main', poll: '1m', mirrorLimit: '2MiB' }),
  );
  if ('mistakes' in checked) throw new Error(checked.mistakes.join('\n'));
  const skip = ['[skip ci]', '[ci skip]'];
  const limit = 10 * 1024 ** 3;
  expect(checked.shape.projects.map(({ source }) => source?.poll)).toEqual([
    {
      everyMs: 300_000,
      branches: { any: [{ is: 'main' }, { regex: '^r', flags: '' }], none: [] },
      skip,
      isBuiltAtStart: false,
      mirrorLimitBytes: limit,
      access: { sshKeyFile: 'secrets/k', knownHostsFile: '/k' },
    },
    {
      everyMs: 3_600_000,
      branches: { any: [], none: [] },
      tags: { any: [{ glob: 'v*' }], none: [] },
      skip: ['no build'],
      isBuiltAtStart: true,
      mirrorLimitBytes: limit,
      access: { login: { user: 'ann', passwordFile: 'secrets/p' } },
    },
    { everyMs: 60_000, skip, isBuiltAtStart: false, mirrorLimitBytes: 2 * 1024 ** 2, access: {} },
  ]);
});

test('a source tells where its revisions can be looked at', () => {
  const template = 'https://git.example.org/x/commit/{revision}';
  const checked = check(git('/x', { revlink: template }), git('/y', { revlink: (revision) => `http://y/${revision}` }));
  if ('mistakes' in checked) throw new Error(checked.mistakes.join('\n'));
  expect(checked.shape.projects.map(({ source }) => source?.revlink)).toEqual([
    { template },
    { function: expect.stringMatching(/^[0-9a-f]{16}$/) },
  ]);
});

test.each<[GitSource, RegExp]>([
  [git('/x', { revlink: 'https://git.example.org/' }), /^project "p0", source, revlink: write an address of http/],
  [git('/x', { revlink: 'javascript:{revision}' }), /revlink: write an address of http/],
  [git('https://ann:secret@h/x.git'), /^project "p0", source, url: the URL has a password in it/],
  [git('https://:token@h/x.git', { poll: '5m' }), /the URL has a password in it/],
  [git('ext::sh -c evil'), /url: git would start a program/],
  [git('/x', { poll: '5m', skip: [''] }), /skip, 0: give a list of texts/],
  [git('/x', { poll: '1ms' }), /poll: write a time from 1s to 30d/],
  [git('/x', { poll: 'often' }), /poll: write a time/],
  [git('/x', { branches: 'main' }), /branches: it is for polling, and the source is not polled/],
  [git('/x', { poll: '5m', branches: [] }), /branches: write a text, a glob/],
  [git('/x', { poll: '5m', sshKeyFile: 'k' }), /sshKeyFile: it is for ssh/],
  [git('https://h/x', { poll: '5m', knownHostsFile: 'k' }), /knownHostsFile: it is for ssh/],
  [git('h:x', { poll: '5m', passwordFile: 'k' }), /passwordFile: it is for https/],
  [git('http://h/x', { poll: '5m', passwordFile: 'k' }), /passwordFile: a password is sent over https:\/\/ only/],
  [git('https://h/x', { poll: '5m', user: 'ann' }), /user: give a passwordFile, too/],
  [git('/x', { poll: '5m', mirrorLimit: '1KB' }), /mirrorLimit: write a size .* at least 1 MiB/],
])('%j is refused with its place', (source, said) => {
  expect(mistakes(source)).toEqual([expect.stringMatching(said)]);
  expect(mistakes(source).join('')).not.toContain('secret@');
});

test('projects that poll one repository are let in alike', () => {
  const url = 'git@h:x.git';
  expect(mistakes(git(url, { poll: '5m', sshKeyFile: 'a' }), git(url, { poll: '1m', sshKeyFile: 'a' }))).toEqual([]);
  expect(mistakes(git(url, { poll: '5m', sshKeyFile: 'a' }), git(url), git(url, { poll: '5m' }))).toEqual([
    'project "p2", source: project "p0" polls git@h:x.git, too, and is let in otherwise; give both the same user and files',
  ]);
  expect(mistakes(git('http://127.0.0.1:3/x', { poll: '5m', passwordFile: 'k' }))).toEqual([]);
});
