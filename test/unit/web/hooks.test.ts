import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGithubLike } from '../../../src/master/hooks/github-events.ts';
import { readGitlab } from '../../../src/master/hooks/gitlab-events.ts';
import { FORGES, pullRequestRef } from '../../../src/model/forge.ts';
import { HOOK_LIMITS } from '../../../src/web/hooks/open-hooks.ts';
import { NOBODY, pullOf, pushOf, sha, signed } from '../../support/forge-payloads.ts';
import { ADMIN } from '../master/try-farm.ts';
import { SECRET, TryHooks } from './try-hooks.ts';

let hooks: TryHooks;
/** Each test has revisions of its own. */
let count = 0;
const fresh = (): string => `revision ${++count}`;
beforeAll(async () => {
  hooks = await TryHooks.open({ ...HOOK_LIMITS, refused: 1_000 });
});
afterAll(() => hooks.farm.close());

describe.each(FORGES)('of %s', (forge) => {
  test('each commit of a signed push is stored and built, oldest first', async () => {
    const commits = [fresh(), fresh(), fresh()];
    const message = 'Fix <script>alert(1)</script>\n\n\u001b[2J\u202e';
    const files = ['a b', '../../etc/passwd', '中'];
    const { status, body } = await hooks.send(forge, 'push', pushOf(forge, { commits, message, files }));
    expect(status).toBe(200);
    expect(body.changes.map(({ revision, isNew, requests }) => [revision, isNew, requests.length])).toEqual(
      commits.map((name) => [sha(name), true, 1]),
    );
    const [newest] = await hooks.changes();
    const told = {
      branch: 'main',
      revision: sha(commits[2]!),
      author: 'Ann <ann@example.org>',
      committer: 'Zoe <zoe@example.org>',
      revlink: 'https://forge.example.org/c',
      comments: message,
      files,
    };
    expect(newest).toMatchObject({
      ...told,
      filesLeftOut: 0,
      kind: 'push',
      isUntrusted: false,
      sentBy: `hook:${forge}`,
    });
    const queued = (await hooks.queue()).slice(-3);
    expect(queued.map(({ revision }) => revision)).toEqual(commits.map(sha));
    expect(hooks.logged.filter((line) => line.includes('\u001b'))).toEqual([]);
  });

  test('what comes again is known, under its own name and under another, also all at once', async () => {
    const payload = pushOf(forge, { commits: [fresh()] });
    const all = await Promise.all(Array.from({ length: 8 }, () => hooks.send(forge, 'push', payload, { id: 'd' })));
    expect(all.flatMap(({ body }) => body.changes).filter(({ isNew }) => isNew)).toHaveLength(1);
    const before = (await hooks.queue()).length;
    for (const id of ['d', 'e', '']) {
      expect((await hooks.send(forge, 'push', payload, { id })).body).toMatchObject({ isKnown: true, changes: [] });
    }
    expect(await hooks.queue()).toHaveLength(before);
  });

  test('a signature that is none, or another one, is refused before anything is read of the body', async () => {
    const body = '{ no JSON';
    const good = signed(forge, 'push', body, SECRET);
    const name = Object.keys(good).find((key) => /signature|token/.test(key)) ?? '';
    const right = good[name] ?? '';
    const hmac = (algorithm: string): string => createHmac(algorithm, SECRET).update(body).digest('hex');
    const wrong = ['', right.slice(0, -1), right.toUpperCase(), `${right}0`, ` ${right}x`, right.slice(7), hmac('md5')];
    const others = [...wrong, `sha1=${hmac('sha1')}`, signed(forge, 'push', body, 'other')[name] ?? '', 'ü'];
    for (const value of others) {
      const headers = { ...good, [name]: Buffer.from(value).toString('latin1') };
      const { status, type } = await hooks.post(`/hooks/${forge}/kate`, body, headers);
      expect([value, status, type]).toEqual([value, 403, 'application/problem+json']);
    }
    const { [name]: _left, ...unsigned } = good;
    const sha1 = { ...unsigned, 'x-hub-signature': `sha1=${hmac('sha1')}` };
    expect((await hooks.post(`/hooks/${forge}/kate`, body, sha1)).status).toBe(403);
    // The right one, of a body that is none.
    const read = await hooks.post(`/hooks/${forge}/kate`, body, good);
    expect(read).toMatchObject({ status: 400, body: { detail: expect.stringContaining('no JSON') } });
  });

  test('a new branch, one that was set back, one that was deleted, a tag', async () => {
    const [tip, old] = [fresh(), fresh()];
    const branch = { ref: 'refs/heads/wip/new', commits: [], after: sha(tip) };
    expect((await hooks.send(forge, 'push', pushOf(forge, branch))).body.changes).toMatchObject([
      { branch: 'wip/new', revision: sha(tip), requests: [] },
    ]);
    const back = { commits: [], after: sha(old) };
    expect((await hooks.send(forge, 'push', pushOf(forge, back))).body.changes).toMatchObject([
      { branch: 'main', revision: sha(old), requests: [expect.any(Number)] },
    ]);
    const gone = await hooks.send(forge, 'push', pushOf(forge, { commits: [], after: NOBODY }));
    expect(gone).toMatchObject({ status: 200, body: { changes: [], note: 'refs/heads/main was deleted' } });
    const tag = { ref: 'refs/tags/v1', commits: [], after: sha(tip) };
    expect((await hooks.send(forge, 'tag', pushOf(forge, tag))).body.changes).toMatchObject([
      { branch: 'refs/tags/v1', revision: sha(tip), requests: [expect.any(Number)] },
    ]);
    expect((await hooks.changes())[0]).toMatchObject({ kind: 'tag' });
  });

  test('of a push of thousands of commits the newest hundred are taken, and the others counted', async () => {
    const commits = Array.from({ length: 2_000 }, fresh);
    const { status, body } = await hooks.send(forge, 'push', pushOf(forge, { commits, ref: 'refs/heads/many' }));
    // GitLab names twenty.
    const taken = forge === 'gitlab' ? 20 : 100;
    expect([status, body.changes.length, body.commitsLeftOut]).toEqual([200, taken, 2_000 - taken]);
    expect(body.changes.at(-1)?.revision).toBe(sha(commits[1_999]!));
    expect(body.changes[0]?.revision).toBe(sha(commits[2_000 - taken]!));
  });

  test('a pull request of a fork waits for approval of exactly its revision', async () => {
    const [first, second] = [fresh(), fresh()];
    const branch = pullRequestRef(forge, 7);
    const { body } = await hooks.send(
      forge,
      'pull-request',
      pullOf(forge, { head: first, page: 'https://forge.example.org/pull/7' }),
    );
    expect(body.changes).toMatchObject([{ branch, revision: sha(first), requests: [expect.any(Number)] }]);
    const change = {
      kind: 'pull-request',
      target: 'main',
      isUntrusted: true,
      author: 'mallory',
      files: [],
      revlink: 'https://forge.example.org/pull/7',
    };
    expect((await hooks.changes())[0]).toMatchObject(change);
    expect((await hooks.changes())[0]?.filesLeftOut).toBeGreaterThan(0);
    const [id = 0] = body.changes[0]?.requests ?? [];
    const waits = `waits for approval: a pull request of a fork by mallory; ssh ci approve-build request:${id}`;
    expect((await hooks.queue()).at(-1)).toMatchObject({ id, waitsFor: waits });
    const action = forge === 'gitlab' ? 'update' : forge === 'gitea' ? 'synchronized' : 'synchronize';
    await hooks.send(forge, 'pull-request', pullOf(forge, { head: second, action }));
    const { operator } = hooks.farm;
    // Which of the two was looked at?
    await expect(operator.approveBuild(ADMIN, 'kate#7', undefined)).rejects.toThrow(sha(second));
    await expect(operator.approveBuild(ADMIN, 'kate#7', 'abc')).rejects.toMatchObject({ code: 'usage' });
    await expect(operator.approveBuild(ADMIN, 'kate#8', sha(first))).rejects.toMatchObject({ code: 'not-found' });
    expect(await operator.approveBuild(ADMIN, 'kate#7', sha(first))).toEqual({
      project: 'kate',
      revision: sha(first),
      requests: [id],
    });
    await expect(operator.approveBuild(ADMIN, `request:${id}`, undefined)).rejects.toThrow('admin gave it already');
    const [one, two] = (await hooks.queue()).slice(-2);
    expect([one?.waitsFor, two?.waitsFor]).toEqual([
      expect.stringContaining('no worker'),
      expect.stringContaining('waits for approval'),
    ]);
    // The other one is refused.
    await operator.stop(ADMIN, `request:${two?.id}`, 'no');
    await expect(operator.approveBuild(ADMIN, `request:${two?.id}`, undefined)).rejects.toThrow('has ended');
  });

  test('a pull request of the repository itself, or of who is trusted, waits for nobody', async () => {
    const own = await hooks.send(forge, 'pull-request', pullOf(forge, { head: fresh(), isOfFork: false }));
    const trusted = await hooks.send(forge, 'pull-request', pullOf(forge, { head: fresh(), author: 'trudy' }));
    // Somebody else pushed to the fork of one who is trusted.
    const pushed = await hooks.send(
      forge,
      'pull-request',
      pullOf(forge, { head: fresh(), author: 'trudy', by: 'mallory' }),
    );
    const queue = await hooks.queue();
    const reason = ({ body }: typeof own) =>
      queue.find(({ id }) => id === body.changes[0]?.requests[0])?.waitsFor.replace(/:.*/, '');
    expect([own, trusted, pushed].map(reason)).toEqual([
      'no worker of debian is connected',
      'no worker of debian is connected',
      'waits for approval',
    ]);
  });

  test('what is no push and no new head of a pull request is answered, and nothing is done', async () => {
    for (const event of ['ping', 'other'] as const) {
      const { status, body } = await hooks.send(forge, event, {});
      expect([status, body.changes, body.note]).toEqual([200, [], expect.any(String)]);
    }
    const closed = await hooks.send(forge, 'pull-request', pullOf(forge, { action: 'closed' }));
    expect(closed).toMatchObject({ status: 200, body: { changes: [], note: expect.stringContaining('closed') } });
    for (const payload of [
      {},
      [],
      { ref: 1 },
      { ...pushOf(forge), after: {} },
      { ref: 'refs/heads/x', after: '../..' },
    ]) {
      expect((await hooks.send(forge, 'push', payload)).status).toBe(400);
    }
    // A branch that git could not have.
    expect((await hooks.send(forge, 'push', pushOf(forge, { ref: 'refs/heads/-x' }))).status).toBe(400);
  });
});

test('a project says what becomes of forks, and which words keep a push from being built', async () => {
  const pull = pullOf('github', { head: fresh() });
  const built = await hooks.send('github', 'pull-request', pull, { project: 'builds' });
  expect((await hooks.queue('builds')).map(({ id, waitsFor }) => [id, waitsFor])).toEqual([
    [built.body.changes[0]?.requests[0], expect.stringContaining('no worker')],
  ]);
  expect((await hooks.changes('builds'))[0]).toMatchObject({ isUntrusted: true });
  const ignored = await hooks.send('github', 'pull-request', pull, { project: 'ignores' });
  expect(ignored.body.changes).toMatchObject([{ skipped: 'it is of a fork', requests: [] }]);
  const skip = pushOf('github', { commits: [fresh(), fresh()], message: 'Typo [SKIP CI]' });
  const both = (await hooks.send('github', 'push', skip)).body.changes;
  expect(both).toMatchObject([{ requests: [] }, { requests: [], skipped: '[skip ci]' }]);
  expect((await hooks.changes())[0]).toMatchObject({ skipped: '[skip ci]', comments: 'Typo [SKIP CI]' });
  // This one has words of its own.
  const other = await hooks.send('github', 'push', skip, { project: 'ignores' });
  expect(other.body.changes.map(({ requests }) => requests.length)).toEqual([1, 1]);
  const own = pushOf('github', { commits: [fresh()], message: 'Please: No build' });
  expect((await hooks.send('github', 'push', own, { project: 'ignores' })).body.changes).toMatchObject([
    { skipped: 'no build', requests: [] },
  ]);
});

test('a pull request of who may only read is no more trusted because it is in the same repository', async () => {
  const pull = pullOf('gitea', { head: fresh(), isOfFork: false, ref: 'refs/pull/7/head' });
  const { body } = await hooks.send('gitea', 'pull-request', pull);
  const [id] = body.changes[0]?.requests ?? [];
  expect((await hooks.queue()).find((one) => one.id === id)?.waitsFor).toContain('waits for approval');
});

test('what a person asks for of a pull request of a fork waits as what the forge told of', async () => {
  const head = fresh();
  await hooks.send('github', 'pull-request', pullOf('github', { head, number: 9 }));
  const { operator } = hooks.farm;
  const force = (branch: string, revision?: string) =>
    operator.force(
      ADMIN,
      { project: 'kate', builder: 'debian' },
      { properties: {}, branch, ...(revision !== undefined && { revision }) },
    );
  await expect(force('refs/pull/9/head')).rejects.toThrow('say which revision you have looked at');
  for (const branch of ['refs/pull/9/head', 'main']) {
    expect((await force(branch, sha(head))).waitsFor).toContain(
      'waits for approval: a pull request of a fork by mallory',
    );
  }
  await operator.sendChanges(ADMIN, 'kate', [{ branch: 'refs/pull/10/head', revision: sha(fresh()) }]);
  expect((await hooks.changes())[0]).toMatchObject({ branch: 'refs/pull/10/head', isUntrusted: true });
});

test('a payload of millions of things that are none costs one complaint', () => {
  for (const wrong of [
    { commits: Array.from({ length: 1_000 }, () => 0) },
    { commits: [{ id: sha('a'), added: [0, 0] }] },
  ]) {
    for (const read of [
      readGithubLike('github'),
      (_event: string, payload: unknown) => readGitlab('Push Hook', payload),
    ]) {
      const payload = { ref: 'refs/heads/main', after: sha('a'), ...wrong };
      expect(() => read('push', payload)).toThrow(
        expect.objectContaining({
          issues: [expect.objectContaining({ path: expect.arrayContaining(['commits', 0]) })],
        }),
      );
    }
  }
});

test('whoever does not know the secret learns of no project', async () => {
  const body = JSON.stringify(pushOf('github'));
  const headers = signed('github', 'push', body, 'a guess');
  const answers = new Set<string>();
  const paths = [
    'kate',
    'closed',
    'nowhere',
    'gitlabs',
    '..%2fkate',
    '%2e%2e',
    'kate%00',
    '%',
    '__proto__',
    'kate%2f..',
  ];
  for (const name of paths) {
    const { status, body: said } = await hooks.post(`/hooks/github/${name}`, body, headers);
    answers.add(`${status} ${said.detail}`);
  }
  answers.add(JSON.stringify((await hooks.post('/hooks/nobody/kate', body, headers)).body.detail));
  expect([...answers]).toEqual([
    '403 no webhook of this address and secret is known here',
    '"no webhook of this address and secret is known here"',
  ]);
  // Nor with the right secret for another kind of forge than the project has.
  expect((await hooks.send('github', 'push', pushOf('github'), { project: 'gitlabs' })).status).toBe(403);
  expect((await hooks.send('gitlab', 'push', pushOf('gitlab'), { project: 'gitlabs' })).status).toBe(200);
});

test('a form is read of GitHub alone, and other types of nobody', async () => {
  const payload = JSON.stringify(pushOf('github', { commits: [fresh()] }));
  const form = new URLSearchParams({ payload }).toString();
  const asForm = { 'content-type': 'application/x-www-form-urlencoded' };
  const github = { ...signed('github', 'push', form, SECRET), ...asForm };
  expect(await hooks.post('/hooks/github/kate', form, github)).toMatchObject({ status: 200, body: { isKnown: false } });
  const gitea = { ...signed('gitea', 'push', form, SECRET), ...asForm };
  expect((await hooks.post('/hooks/gitea/kate', form, gitea)).status).toBe(400);
  const none = { ...signed('github', 'push', 'x=1', SECRET), ...asForm };
  expect((await hooks.post('/hooks/github/kate', 'x=1', none)).status).toBe(400);
  for (const more of [{ 'content-type': 'text/plain' }, { 'content-encoding': 'gzip' }]) {
    const headers = { ...signed('github', 'push', payload, SECRET), ...more };
    expect((await hooks.post('/hooks/github/kate', payload, headers)).status).toBe(415);
  }
});

test('nothing else is behind the port', async () => {
  const headers = signed('github', 'push', '{}', SECRET);
  for (const path of [
    '/',
    '/healthz',
    '/api/v1/status',
    '/login/x',
    '/hooks',
    '/hooks/github',
    '/hooks/github/kate/x',
  ]) {
    expect([path, (await hooks.post(path, '{}', headers)).status]).toEqual([path, 404]);
  }
  expect((await hooks.post('/hooks/github/kate', '', {}, 'GET')).status).toBe(405);
});
