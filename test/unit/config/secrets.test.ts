import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import { diffShapes } from '../../../src/config/diff.ts';
import type { ConfigShape } from '../../../src/config/shape.ts';
import {
  builder,
  defineMaster,
  project,
  secret,
  secretCommand,
  secretEnv,
  secretFile,
  sh,
  step,
  worker,
} from '../../../src/index.ts';
import type { SecretConfig } from '../../../src/index.ts';

type Made = Parameters<typeof builder>[1];

function configOf(secrets: Record<string, SecretConfig>, made: Partial<Made> = {}, of = 'kate'): unknown {
  const steps = [sh('make', 'make')];
  const debian = builder('debian', { workers: ['sid'], steps, ...made });
  return defineMaster({
    title: 'T',
    workers: [worker('sid')],
    secrets,
    projects: [project(of, { builders: [debian] })],
  });
}

function mistakes(exported: unknown): readonly string[] {
  const check = checkConfig('hash', exported);
  return 'mistakes' in check ? check.mistakes : [];
}

function shapeOf(exported: unknown, hash = 'hash'): ConfigShape {
  const check = checkConfig(hash, exported);
  if ('mistakes' in check) throw new Error(check.mistakes.join('; '));
  return check.shape;
}

const KEY = { key: secretFile('secrets/key', { projects: ['kate'] }) };

test('a configuration says where its secrets come from, and for whom they are', () => {
  const { secrets } = shapeOf(
    configOf({
      ...KEY,
      token: secretEnv('TOKEN', { projects: 'all', forks: true }),
      pass: secretCommand(['pass', 'show', 'ci'], { projects: 'all' }),
    }),
  );
  expect(secrets).toEqual([
    { name: 'key', from: { kind: 'file', path: 'secrets/key' }, projects: ['kate'] },
    { name: 'token', from: { kind: 'env', variable: 'TOKEN' }, projects: 'all', forks: true },
    { name: 'pass', from: { kind: 'command', argv: ['pass', 'show', 'ci'], timeoutMs: 30_000 }, projects: 'all' },
  ]);
});

test('what a builder is known to ask for is gathered from its environment, its steps, and what it says', () => {
  const all = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, secretEnv('X', { projects: 'all' })]));
  const { projects } = shapeOf(
    configOf(all, {
      env: { A: secret('a') },
      secrets: ['c'],
      steps: [sh('make', 'make', { env: { B: secret('b') } }), step('code', () => 'success')],
    }),
  );
  expect(projects[0]?.builders[0]?.secrets).toEqual(['a', 'b', 'c']);
  expect(shapeOf(configOf(all)).projects[0]?.builders[0]?.secrets).toBeUndefined();
});

test.each([
  [
    configOf(KEY, { env: { KEY: secret('kye') } }),
    'project "kate", builder "debian": there is no secret "kye"; add it to the secrets, or correct the name',
  ],
  [
    configOf({ key: secretEnv('X', { projects: 'all' }) }, { secrets: ['constructor'] }),
    'project "kate", builder "debian": there is no secret "constructor"; add it to the secrets, or correct the name',
  ],
  [
    configOf({ key: secretFile('key', { projects: ['kaet'] }) }),
    'secret "key": there is no project "kaet"; correct the name, or take it out',
  ],
  [
    configOf(KEY, { steps: [sh('make', 'make', { env: { KEY: secret('key') } })] }, 'okular'),
    'project "okular", builder "debian": secret "key" is not for this project; add "okular" to its projects',
  ],
  [
    configOf({ key: { kind: 'secretFile', path: 'key' } as never }),
    `secrets, key, projects: say whose builds may be given it: projects: ['kate'], or projects: 'all'`,
  ],
  [
    configOf({ key: secretCommand([], { projects: 'all' }) }),
    `secrets, key, argv: give a program and its arguments: secretCommand(['pass', 'show', 'ci/key'], …)`,
  ],
  [
    configOf({ key: secretEnv('A B', { projects: 'all' }) }),
    'secrets, key, variable: no name of an environment variable',
  ],
  [
    configOf({ key: 'hunter2' as never }),
    `secrets, key: this is no secret: use secretFile('secrets/key', { projects: ['kate'] }), secretEnv() or secretCommand()`,
  ],
])('what is wrong with a secret is told with its place (%#)', (exported, told) => {
  expect(mistakes(exported)).toContain(told);
});

test('a reload tells what changed of secrets', () => {
  const before = shapeOf(configOf(KEY), 'one');
  const after = shapeOf(
    configOf({ key: secretFile('secrets/key', { projects: 'all' }), b: secretEnv('B', { projects: 'all' }) }),
    'two',
  );
  expect(diffShapes(before, after)).toEqual(['secret key: projects changed from ["kate"] to "all"', 'secret b added']);
});
