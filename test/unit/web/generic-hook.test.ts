import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { HOOK_LIMITS } from '../../../src/web/hooks/open-hooks.ts';
import { BareRepository } from '../../support/bare-repository.ts';
import { pullOf, pushOf, sha } from '../../support/forge-payloads.ts';
import { until } from '../../support/until.ts';
import { ADMIN } from '../master/try-farm.ts';
import { SECRET, TryHooks } from './try-hooks.ts';
import type { HookAnswer } from './try-hooks.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const FORM = 'application/x-www-form-urlencoded';
let dir: string;
let kate: BareRepository;
let hooks: TryHooks;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-hook-'));
  kate = await BareRepository.make(join(dir, 'kate.git'));
  hooks = await TryHooks.open(
    { ...HOOK_LIMITS, refused: 1_000 },
    {},
    {
      generic: `source: git('/g'), hook: { secretFile: 'secret', kind: 'generic' },`,
      facts: `source: git('/f'), hook: { secretFile: 'secret', properties: ['pull_request.title', 'pull_request.head.repo.id', 'pull_request.body', 'sender', '__proto__.x', 'number'] },`,
      asked: `source: git('/a'), hook: { secretFile: 'secret', properties: (event, { head_commit: { message } }) => message === 'throw' ? message.no.more : message === 'name' ? { 'a b': 1 } : { event, message } },`,
      polled: `source: git('${kate.dir}', { poll: '30d', branch: 'main' }), hook: { secretFile: 'secret' },`,
    },
  );
});
afterAll(async () => {
  await hooks.farm.close();
  await rm(dir, { recursive: true, force: true });
});

async function post(body: string, more: Record<string, string> = {}, secret = SECRET): Promise<HookAnswer> {
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature, ...more };
  return await hooks.post('/hooks/generic/generic', body, headers);
}

test('whatever can sign them may tell of changes, in the words of sendchange', async () => {
  const one = { branch: 'main', revision: 'a1', author: 'Ann', files: ['x'], properties: { n: 1 }, codebase: 'lib' };
  const list = JSON.stringify([one, { branch: 'main', revision: 'a2', comments: 'Typo [skip ci]' }]);
  const { status, body } = await post(list);
  expect([status, body.changes]).toMatchObject([
    200,
    [
      { revision: 'a1', isNew: true, requests: [expect.any(Number)] },
      { revision: 'a2', isNew: true, requests: [], skipped: '[skip ci]' },
    ],
  ]);
  expect((await hooks.changes('generic'))[1]).toMatchObject({ ...one, sentBy: 'hook:generic', isUntrusted: false });
  expect((await post(list)).body).toMatchObject({ isKnown: true, changes: [] });
  // By its name, whatever is in it now.
  await post(JSON.stringify({ ...one, revision: 'a3' }), { 'idempotency-key': 'k' });
  expect((await post(JSON.stringify({ ...one, revision: 'a4' }), { 'idempotency-key': 'k' })).body.isKnown).toBe(true);
  // Nobody gets round the approval of forks.
  await post(JSON.stringify({ branch: 'refs/pull/1/head', revision: 'f1' }));
  expect((await hooks.changes('generic'))[0]).toMatchObject({ isUntrusted: true });
});

test('the same comes as a form of one change', async () => {
  const form = new URLSearchParams({
    branch: 'main',
    revision: 'b1',
    comments: 'Fix & mend',
    files: '["a b"]',
    properties: '{"n":[1]}',
  });
  expect((await post(form.toString(), { 'content-type': FORM })).status).toBe(200);
  const told = { revision: 'b1', comments: 'Fix & mend', files: ['a b'], properties: { n: [1] } };
  expect((await hooks.changes('generic'))[0]).toMatchObject(told);
});

test('what is no change is refused with what is wrong, and nothing of it is stored', async () => {
  const before = (await hooks.changes('generic')).length;
  const good = { branch: 'main', revision: 'c1' };
  for (const [wrong, said] of [
    ['[]', 'no change came'],
    ['{', 'it is no JSON'],
    [JSON.stringify([good, { branch: 'main' }]), 'change 2: revision'],
    [JSON.stringify({ ...good, isUntrusted: false }), 'unknown key isUntrusted'],
    [JSON.stringify([good, { ...good, branch: '--upload-pack=x' }]), 'is no name of a branch'],
    [JSON.stringify({ ...good, revlink: 'javascript:1' }), 'the revlink'],
    [JSON.stringify(Array.from({ length: 101 }, () => good)), 'more than 100 changes'],
  ] as const) {
    expect(await post(wrong)).toMatchObject({ status: 400, body: { detail: expect.stringContaining(said) } });
  }
  const form = await post('branch=main&revision=c2&files=a', { 'content-type': FORM });
  expect(form).toMatchObject({ status: 400, body: { detail: expect.stringContaining('files is no JSON') } });
  expect((await post(JSON.stringify(good), {}, 'a guess')).status).toBe(403);
  // A hook of any forge is none for whoever may say all of a change himself.
  const body = JSON.stringify(good);
  const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature };
  expect((await hooks.post('/hooks/generic/kate', body, headers)).status).toBe(403);
  expect(await hooks.changes('generic')).toHaveLength(before);
});

test('a project says what of a delivery its builds begin with', async () => {
  const title = 'Better';
  await hooks.send('github', 'pull-request', pullOf('github', { head: 'd1', title }), { project: 'facts' });
  const { properties, problems } = (await hooks.changes('facts'))[0]!;
  expect([properties, problems]).toEqual([
    {
      'pull_request.title': title,
      'pull_request.head.repo.id': 2,
      'pull_request.body': null,
      sender: { login: 'mallory' },
      number: 7,
    },
    [],
  ]);
  const long = pullOf('github', { head: 'd2', title: 'x'.repeat(5_000) });
  await hooks.send('github', 'pull-request', long, { project: 'facts' });
  const [cut] = await hooks.changes('facts');
  expect([cut?.properties['pull_request.title'], cut?.problems]).toEqual([
    undefined,
    ['properties of the hook: pull_request.title has 5002 bytes, and a property has at most 4096'],
  ]);
});

test('a function says it, too, and one that cannot leaves nothing unbuilt', async () => {
  const told = async (message: string): Promise<unknown> => {
    const payload = pushOf('github', { commits: [`asked ${message}`], message });
    const { body } = await hooks.send('github', 'push', payload, { project: 'asked' });
    const [{ properties, problems } = {}] = await hooks.changes('asked');
    return [body.changes[0]?.requests.length, properties, problems];
  };
  expect(await told('hello')).toEqual([1, { event: 'push', message: 'hello' }, []]);
  expect(await told('throw')).toEqual([1, {}, [expect.stringMatching(/^properties of the hook: .*undefined/)]]);
  expect(await told('name')).toEqual([1, {}, [expect.stringContaining('"a b" is no name of a property')]]);
});

test('a webhook has a repository that is polled polled at once, which finds what it left out', async () => {
  await kate.commit('main', { message: 'old' });
  const { operator } = hooks.farm;
  await operator.poll(ADMIN, 'polled');
  const missed = await kate.commit('main', { message: 'missed' });
  await hooks.send('github', 'push', pushOf('github', { commits: ['another'] }), { project: 'polled' });
  await until('the poll has told', async () =>
    (await hooks.changes('polled')).some(({ revision }) => revision === missed),
  );
  const changes = await hooks.changes('polled');
  expect(changes.map(({ revision, sentBy }) => [revision, sentBy])).toEqual([
    [missed, 'the poller'],
    [sha('another'), 'hook:github'],
  ]);
});
