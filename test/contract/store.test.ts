import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pass } from '../../src/model/pass.ts';
import type { Store } from '../../src/store/store.ts';
import { MAX_BUILDS_OF_A_REQUEST } from '../../src/model/build-request.ts';
import { chunkOf, hole, readAll } from '../support/log-chunks.ts';
import { buildSet, claimedBuild, emptyLog, TempStore } from '../support/temp-store.ts';

/** What makes, opens again and removes an empty store of each kind. */
const KINDS: readonly { readonly kind: string; readonly make: () => Promise<Pick<TempStore, 'open' | 'remove'>> }[] = [
  { kind: 'SQLite', make: () => TempStore.make() },
];

describe.each(KINDS)('a store on $kind', ({ make }) => {
  let temp: Pick<TempStore, 'open' | 'remove'>;
  let store: Store;
  beforeEach(async () => {
    temp = await make();
    store = await temp.open();
  });
  afterEach(() => temp.remove());

  const claimOf = (requestId: number, worker = 'w') => ({
    requestId,
    worker,
    configHash: 'c0ffee',
    stepNames: ['checkout', 'make'],
    properties: [],
    atMs: 2_000,
  });

  describe('configs', () => {
    it('keeps a bundle under its hash and activates only what is there', async () => {
      expect(await store.configs.active()).toBeUndefined();
      await store.configs.put({ hash: 'aa', bundle: Buffer.from('one'), atMs: 1 });
      await store.configs.put({ hash: 'aa', bundle: Buffer.from('two'), atMs: 2 });
      expect(await store.configs.access()).toEqual({});
      await store.configs.activate('aa', { p: { read: ['ann'] } });
      await expect(store.configs.activate('bb', {})).rejects.toMatchObject({ code: 'not-found' });
      expect(await store.configs.active()).toBe('aa');
      expect(await store.configs.access()).toEqual({ p: { read: ['ann'] } });
      expect(Buffer.from((await store.configs.bundle('aa'))!).toString()).toBe('one');
      expect(await store.configs.bundle('bb')).toBeUndefined();
    });
  });

  describe('principals', () => {
    it('replaces by name, buries, and removes', async () => {
      const keys = [{ type: 'ssh-ed25519', blob: 'AAAA', comment: 'anna@home' }];
      const anna = { name: 'anna', role: 'reader', keys, source: 'folder' } as const;
      await store.principals.put(anna);
      expect(await store.principals.list()).toEqual([anna]);
      await store.principals.put({ ...anna, role: 'operator' });
      await store.principals.revoke('anna', 7);
      expect(await store.principals.list()).toEqual([{ ...anna, role: 'operator', revokedAtMs: 7 }]);
      await store.principals.remove('anna');
      expect(await store.principals.list()).toEqual([]);
      await expect(store.principals.revoke('anna', 8)).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  describe('passes', () => {
    const pass = (id: string, over: Partial<Pass> = {}): Pass => ({
      id,
      kind: 'token',
      who: 'anna',
      secretSha256: 'ab',
      label: 'ci',
      keys: ['SHA256:x'],
      madeAtMs: 1,
      expiresAtMs: 10,
      ...over,
    });

    it('gives one in exchange for another, once', async () => {
      const link = pass('l', { kind: 'login', role: 'reader' });
      await store.passes.add(link);
      expect(await store.passes.find('l')).toEqual(link);
      const tries = ['s1', 's2'].map((id) => store.passes.exchange('l', pass(id, { kind: 'session' })));
      expect((await Promise.allSettled(tries)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      expect((await store.passes.list()).map(({ id }) => id)).toEqual(['s1']);
      await store.passes.remove('s1');
      await expect(store.passes.remove('s1')).rejects.toMatchObject({ code: 'not-found' });
    });

    it('drops what is over, and those of one person', async () => {
      await store.passes.add(pass('a', { expiresAtMs: 5 }));
      await store.passes.add(pass('b', { madeAtMs: 3 }));
      await store.passes.add(pass('c', { madeAtMs: 2 }));
      await store.passes.add(pass('d', { who: 'bert', madeAtMs: 4 }));
      await store.passes.removeExpired(5);
      expect((await store.passes.list()).map(({ id }) => id)).toEqual(['c', 'b', 'd']);
      await store.passes.removeOf('anna');
      expect((await store.passes.list()).map(({ id }) => id)).toEqual(['d']);
    });
  });

  describe('workers', () => {
    const sid = { name: 'sid', installId: 'i1', bootId: 'b1', processId: 'p1', host: 'vm', facts: { os: 'linux' } };

    it('counts epochs, and lets only the newest detach', async () => {
      expect(await store.workers.attach(sid, 1)).toBe(1);
      expect(await store.workers.attach({ ...sid, processId: 'p2' }, 2)).toBe(2);
      await store.workers.detach('sid', 1, 3);
      expect(await store.workers.find('sid')).toEqual({
        ...sid,
        processId: 'p2',
        epoch: 2,
        isConnected: true,
        sinceMs: 2,
      });
      await store.workers.detach('sid', 2, 4);
      expect(await store.workers.find('sid')).toMatchObject({ isConnected: false, sinceMs: 4 });
      await store.workers.attach(sid, 5);
      await store.workers.detachAll(6);
      expect(await store.workers.list()).toMatchObject([{ epoch: 3, isConnected: false, sinceMs: 6 }]);
      expect(await store.workers.find('hurd')).toBeUndefined();
    });

    it('remembers a longer lease through connections, until it is taken back', async () => {
      await store.workers.attach(sid, 1);
      await store.workers.setLease('sid', 7_200_000);
      await store.workers.attach({ ...sid, processId: 'p2' }, 2);
      expect(await store.workers.find('sid')).toMatchObject({ epoch: 2, leaseMs: 7_200_000 });
      await store.workers.setLease('sid', undefined);
      expect(await store.workers.find('sid')).not.toHaveProperty('leaseMs');
      await expect(store.workers.setLease('hurd', 1)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('marks what the old install may have started when another one comes', async () => {
      await store.workers.attach({ ...sid, name: 'w' }, 1);
      await emptyLog(store, 'unseen');
      await emptyLog(store, 'seen');
      await emptyLog(store, 'done');
      await store.commands.markSeen('seen', 'i0');
      await store.commands.finish('done', null);
      await store.workers.attach({ ...sid, name: 'w', bootId: 'b2' }, 2);
      expect(await store.commands.find('unseen')).not.toHaveProperty('seenBy');
      await store.workers.attach({ ...sid, name: 'w', installId: 'i2' }, 3);
      expect(await store.commands.find('unseen')).toMatchObject({ seenBy: 'i1' });
      expect(await store.commands.find('seen')).toMatchObject({ seenBy: 'i0' });
      expect(await store.commands.find('done')).not.toHaveProperty('seenBy');
    });

    it('raises a fence, above what a worker has seen, for seat and build', async () => {
      const build = await claimedBuild(store);
      expect(await store.workers.raiseFence(build.session)).toBe(2);
      expect(await store.workers.raiseFence(build.session, 41)).toBe(42);
      expect(await store.workers.raiseFence(build.session, 5)).toBe(43);
      expect(await store.workers.seats('w')).toMatchObject([{ session: build.session, fence: 43, buildId: build.id }]);
      expect(await store.builds.find(build.id)).toMatchObject({ fence: 43 });
      await expect(store.workers.raiseFence('nobody')).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  describe('requests', () => {
    it('adds a set as a request a builder, oldest first', async () => {
      const source = { repository: 'https://git.example.org/x.git', revision: 'abc' };
      const added = await store.requests.add({ ...buildSet('b', 'c'), source, properties: { a: [1] } });
      const [later] = await store.requests.add(buildSet('b'));
      expect(added.map((request) => request.builder)).toEqual(['b', 'c']);
      expect(added[0]).toMatchObject({ source, properties: { a: [1] }, owner: 'anna', submittedAtMs: 1_000 });
      expect(await store.requests.pending()).toEqual([...added, later]);
      expect(await store.requests.find(added[0]!.id)).toEqual({ ...added[0], state: 'pending' });
      expect(await store.requests.find(4711)).toBeUndefined();
    });

    it('keeps which patch a request wants, and names it until its last request has ended', async () => {
      const patch = { id: '01JDPATCH', sha256: 'ab'.repeat(32), bytes: 33_000_000_000 };
      const source = { repository: 'https://git.example.org/x.git', revision: 'abc', patch };
      const added = await store.requests.add({ ...buildSet('b', 'c'), source });
      await store.requests.add(buildSet('b'));
      expect(await store.requests.pending()).toMatchObject([{ source }, { source }, { source: { branch: 'main' } }]);
      expect(await store.requests.patchesInUse()).toEqual([patch.id]);
      const build = await store.requests.claim(claimOf(added[0]!.id));
      expect(build.source).toEqual(source);
      expect(await store.builds.find(build.id)).toEqual(build);
      await store.requests.cancel(added[1]!.id, 'enough', 9);
      expect(await store.requests.patchesInUse()).toEqual([patch.id]);
      await store.builds.finish(build.id, 'success', undefined, 3_000);
      expect(await store.requests.patchesInUse()).toEqual([]);
    });

    it('lets one of many claims win', async () => {
      const [request] = await store.requests.add(buildSet('b'));
      const claims = Array.from({ length: 50 }, (_, n) => store.requests.claim(claimOf(request!.id, `w${n % 3}`)));
      const results = await Promise.allSettled(claims);
      const won = results.filter((result) => result.status === 'fulfilled');
      const lost = results.filter((result) => result.status === 'rejected');
      expect(won).toHaveLength(1);
      for (const { reason } of lost) expect(reason).toMatchObject({ code: 'lost-claim' });
      expect(await store.builds.running()).toEqual([won[0]!.value]);
      expect(await store.workers.seats()).toHaveLength(1);
      expect(await store.requests.pending()).toEqual([]);
    });

    it('claims: the build, its steps, its properties, its seat', async () => {
      const [request] = await store.requests.add({ ...buildSet('b'), properties: { mode: 'full', n: null } });
      const properties = [{ name: 'mode', value: 'fast', source: 'force' }];
      const build = await store.requests.claim({ ...claimOf(request!.id), properties });
      expect(build).toMatchObject({ number: 1, worker: 'w', fence: 1, state: 'running', source: { branch: 'main' } });
      expect(await store.builds.find(build.id)).toEqual(build);
      expect(await store.builds.findByNumber('p', 'b', 1)).toEqual(build);
      expect(await store.builds.steps(build.id)).toEqual([
        { buildId: build.id, index: 0, name: 'checkout', state: 'pending' },
        { buildId: build.id, index: 1, name: 'make', state: 'pending' },
      ]);
      expect(await store.builds.properties(build.id)).toEqual([
        { name: 'mode', value: 'fast', source: 'force' },
        { name: 'n', value: null, source: 'request' },
      ]);
      expect(await store.requests.find(request!.id)).toMatchObject({ buildId: build.id });
    });

    it('counts builds within their builder, and gives the lowest free seat with a higher fence', async () => {
      const requests = await Promise.all(['b', 'b', 'b', 'other'].map((name) => store.requests.add(buildSet(name))));
      const ids = requests.map(([request]) => request!.id);
      const first = await store.requests.claim(claimOf(ids[0]!));
      const second = await store.requests.claim(claimOf(ids[1]!));
      await store.builds.finish(first.id, 'success', undefined, 3_000);
      const third = await store.requests.claim(claimOf(ids[2]!));
      const other = await store.requests.claim(claimOf(ids[3]!));
      expect([first, second, third, other].map((build) => build.number)).toEqual([1, 2, 3, 1]);
      expect(third).toMatchObject({ session: first.session, fence: 2 });
      const seats = await store.workers.seats('w');
      expect(seats.map((seat) => [seat.directory, seat.seat, seat.fence, seat.buildId])).toEqual([
        ['p/b', 0, 2, third.id],
        ['p/b-1', 1, 1, second.id],
        ['p/other', 0, 1, other.id],
      ]);
    });

    it('never puts two builders into one folder', async () => {
      for (const name of ['b', 'b', 'b-1']) await claimedBuild(store, name);
      const directories = (await store.workers.seats()).map((seat) => seat.directory);
      expect(new Set(directories).size).toBe(3);
    });

    it('cancels only what waits', async () => {
      const [request] = await store.requests.add(buildSet('b'));
      await store.requests.cancel(request!.id, 'superseded', 9);
      expect(await store.requests.find(request!.id)).toMatchObject({ result: 'cancelled' });
      await expect(store.requests.claim(claimOf(request!.id))).rejects.toMatchObject({ code: 'lost-claim' });
      await expect(store.requests.cancel(request!.id, 'again', 9)).rejects.toMatchObject({ code: 'lost-claim' });
      await expect(store.requests.cancel(4711, 'never was', 9)).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  describe('changes', () => {
    const change = {
      project: 'p',
      repository: 'https://git.example.org/x.git',
      branch: 'main',
      revision: 'abc',
      comments: 'Fix \u0000 it',
      files: ['a', 'b\nc'],
      filesLeftOut: 3,
      properties: { n: 1 },
      atMs: 7,
      sentBy: 'dora',
    };

    it('stores a change once by its key, with its builds or not at all', async () => {
      const sent = await Promise.all(
        Array.from({ length: 20 }, () => store.changes.add(change, 'k', buildSet('b', 'c'))),
      );
      const [first] = sent.filter(({ isNew }) => isNew);
      expect(sent.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(first?.requests).toHaveLength(2);
      for (const one of sent) expect(one).toEqual({ ...first, isNew: one.isNew });
      const pending = await store.requests.pending();
      expect(pending.map(({ id }) => id)).toEqual(first?.requests);
      expect(await store.changes.ofRequest(pending[1]!.id)).toEqual([{ ...change, id: first?.change.id }]);
      const wrong = { ...buildSet('b'), priority: null } as unknown as ReturnType<typeof buildSet>;
      await expect(store.changes.add(change, 'other', wrong)).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.changes.list({ limit: 10 })).toHaveLength(1);
      expect((await store.changes.add(change, 'other', undefined)).isNew).toBe(true);
      expect((await store.changes.add({ ...change, project: 'q' }, 'k', undefined)).isNew).toBe(true);
    });

    it('lists the newest first, of one project or of all but some', async () => {
      for (const project of ['p', 'q', 'p']) {
        await store.changes.add({ ...change, project, author: 'Anna' }, String(Math.random()), undefined);
      }
      const projects = async (filter: object): Promise<readonly string[]> =>
        (await store.changes.list({ limit: 10, ...filter })).map(({ id, project }) => `${project}${id}`);
      expect(await projects({})).toEqual(['p3', 'q2', 'p1']);
      expect(await projects({ limit: 1 })).toEqual(['p3']);
      expect(await projects({ project: 'p' })).toEqual(['p3', 'p1']);
      expect(await projects({ without: ['p'] })).toEqual(['q2']);
      expect(await projects({ project: 'p', without: ['p'] })).toEqual([]);
      expect((await store.changes.list({ limit: 1 }))[0]).toMatchObject({ ...change, author: 'Anna' });
    });
  });

  describe('builds', () => {
    it('has no end before its beginning, when the clock was put back in between', async () => {
      const build = await claimedBuild(store);
      await store.builds.startStep(build.id, 0, 3_000);
      await store.builds.finishStep(build.id, 0, 'success', undefined, 20);
      await store.builds.finish(build.id, 'success', undefined, 21);
      expect((await store.builds.steps(build.id))[0]).toMatchObject({ startedAtMs: 3_000, finishedAtMs: 3_000 });
      expect(await store.builds.find(build.id)).toMatchObject({ startedAtMs: 2_000, finishedAtMs: 2_000 });
    });

    it('finishes build, request and seat together, once', async () => {
      const build = await claimedBuild(store);
      await store.builds.requestStop(build.id, 'enough');
      await store.builds.requestStop(build.id, 'really');
      await store.builds.finish(build.id, 'cancelled', 'stopped: enough', 2_005);
      await store.builds.finish(build.id, 'success', undefined, 2_006);
      expect(await store.builds.find(build.id)).toMatchObject({
        state: 'finished',
        result: 'cancelled',
        summary: 'stopped: enough',
        stopReason: 'enough',
        finishedAtMs: 2_005,
      });
      expect(await store.requests.find(build.requestId)).toMatchObject({ result: 'cancelled', buildId: build.id });
      expect((await store.workers.seats())[0]).not.toHaveProperty('buildId');
      expect(await store.builds.running()).toEqual([]);
      await store.workers.removeSeat(build.session);
      expect(await store.workers.seats()).toEqual([]);
      await expect(store.builds.finish(4711, 'success', undefined, 6)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('puts the request of a retried build back where it was in the queue, in the same commit', async () => {
      const build = await claimedBuild(store);
      const [younger] = await store.requests.add({ ...buildSet('b'), atMs: 9_000 });
      const before = await store.requests.find(build.requestId);
      await store.builds.finish(build.id, 'retry', 'worker w was lost', 5);
      expect(await store.builds.find(build.id)).toMatchObject({ result: 'retry', summary: 'worker w was lost' });
      expect(await store.requests.find(build.requestId)).toEqual({ ...before, state: 'pending' });
      const { state: _state, ...waiting } = before!;
      expect(await store.requests.pending()).toEqual([waiting, younger]);
      expect((await store.workers.seats())[0]).not.toHaveProperty('buildId');
      const again = await store.requests.claim(claimOf(build.requestId, 'v'));
      expect(again).toMatchObject({ requestId: build.requestId, number: 2, worker: 'v', source: build.source });
      expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'claimed', buildId: again.id });
      expect(await store.builds.ofRequest(build.requestId)).toEqual([build.id, again.id]);
      await store.builds.finish(again.id, 'success', undefined, 6);
      expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'finished', result: 'success' });
      expect(await store.requests.pending()).toEqual([younger]);
    });

    it('retries no build that someone wants stopped', async () => {
      const build = await claimedBuild(store);
      await store.builds.requestStop(build.id, 'enough');
      await store.builds.finish(build.id, 'retry', 'worker w was lost', 5);
      expect(await store.builds.find(build.id)).toMatchObject({ result: 'cancelled', summary: 'enough' });
      expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'finished', result: 'cancelled' });
    });

    it('says of a build that was retried meanwhile that there is nothing to stop', async () => {
      const build = await claimedBuild(store);
      expect(await store.builds.requestStop(build.id, 'enough')).toBe(true);
      const other = await claimedBuild(store);
      await store.builds.finish(other.id, 'retry', 'worker w was lost', 5);
      expect(await store.builds.requestStop(other.id, 'enough')).toBe(false);
      expect(await store.builds.find(other.id)).not.toHaveProperty('stopReason');
      await expect(store.builds.requestStop(4711, 'enough')).rejects.toMatchObject({ code: 'not-found' });
    });

    it('retries a request so often, and no more', async () => {
      const [request] = await store.requests.add(buildSet('b'));
      for (let n = 1; n <= MAX_BUILDS_OF_A_REQUEST; n++) {
        const build = await store.requests.claim(claimOf(request!.id));
        await store.builds.finish(build.id, 'retry', n > 1 ? 'lost' : undefined, n);
      }
      const builds = await store.builds.ofRequest(request!.id);
      expect(builds).toHaveLength(MAX_BUILDS_OF_A_REQUEST);
      expect(await store.requests.find(request!.id)).toMatchObject({ state: 'finished', result: 'retry' });
      expect(await store.builds.find(builds.at(-2)!)).toMatchObject({ result: 'retry', summary: 'lost' });
      expect((await store.builds.find(builds.at(-1)!))?.summary).toContain('lost; not retried again');
    });

    it('keeps a seat that a build sits in', async () => {
      const build = await claimedBuild(store);
      await expect(store.workers.removeSeat(build.session)).rejects.toMatchObject({ code: 'not-found' });
      expect(await store.workers.seats()).toHaveLength(1);
    });

    it('keeps steps: the first start, the result', async () => {
      const { id } = await claimedBuild(store);
      await store.builds.startStep(id, 0, 10);
      await store.builds.startStep(id, 0, 20);
      expect(await store.builds.steps(id)).toMatchObject([{ state: 'running', startedAtMs: 10 }]);
      await store.builds.finishStep(id, 0, 'failure', '2 tests', 30);
      expect(await store.builds.steps(id)).toEqual([
        {
          buildId: id,
          index: 0,
          name: 'make',
          state: 'finished',
          result: 'failure',
          summary: '2 tests',
          startedAtMs: 10,
          finishedAtMs: 30,
        },
      ]);
      await expect(store.builds.startStep(id, 1, 10)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('replaces a property', async () => {
      const { id } = await claimedBuild(store);
      await store.builds.setProperty(id, { name: 'a', value: { deep: [null, true] }, source: 'one' });
      await store.builds.setProperty(id, { name: 'a', value: 'x', source: 'two' });
      expect(await store.builds.properties(id)).toEqual([{ name: 'a', value: 'x', source: 'two' }]);
      const lost = store.builds.setProperty(4711, { name: 'a', value: 1, source: 'one' });
      await expect(lost).rejects.toMatchObject({ code: 'not-found' });
    });

    it('lists newest first, by each filter', async () => {
      const builds = [];
      for (const name of ['b', 'c', 'b']) builds.push(await claimedBuild(store, name));
      const [one, two, three] = builds.map((build) => build.id);
      await store.builds.finish(one!, 'success', undefined, 5);
      const ids = async (filter: object) =>
        (await store.builds.list({ limit: 10, ...filter })).map((build) => build.id);
      expect(await ids({})).toEqual([three, two, one]);
      expect(await ids({ limit: 1 })).toEqual([three]);
      expect(await ids({ before: three })).toEqual([two, one]);
      expect(await ids({ project: 'p', builder: 'b' })).toEqual([three, one]);
      expect(await ids({ builder: 'b', state: 'finished' })).toEqual([one]);
      expect(await ids({ project: 'q' })).toEqual([]);
    });
  });

  describe('commands', () => {
    it('keeps calls in their order and answers in theirs', async () => {
      const { id: buildId } = await claimedBuild(store);
      const call = { shell: 'make', env: { A: 'ä' } };
      const record = (key: string, step = 0) => ({ id: `U.${step}.${key}`, buildId, step, key, kind: 'run', call });
      const log = await store.commands.start(record('1'), { name: 'stdio' });
      expect(log).toMatchObject({ command: 'U.0.1', name: 'stdio', length: 0, isComplete: false });
      expect(await store.commands.start(record('2'))).toBeUndefined();
      await store.commands.start(record('1', 1));
      expect(await store.commands.finish('U.0.2', null)).toBe(1);
      expect(await store.commands.finish('U.1.1', 'x')).toBe(1);
      expect(await store.commands.finish('U.0.1', { status: 'exited' })).toBe(2);
      expect(await store.commands.list(buildId)).toEqual([
        { ...record('1'), state: 'finished', answer: { status: 'exited' }, answeredAs: 2 },
        { ...record('2'), state: 'finished', answer: null, answeredAs: 1 },
        { ...record('1', 1), state: 'finished', answer: 'x', answeredAs: 1 },
      ]);
    });

    it('gives each answer of a moment a place of its own', async () => {
      for (let n = 0; n < 20; n++) await emptyLog(store, `c${n}`);
      const places = await Promise.all(Array.from({ length: 20 }, (_, n) => store.commands.finish(`c${n}`, n)));
      expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    });

    it('refuses to start or to answer twice', async () => {
      const log = await emptyLog(store, 'c1');
      await expect(emptyLog(store, 'c1')).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.logs.findByCommand('c1')).toEqual(log);
      await store.commands.finish('c1', 1);
      await expect(store.commands.finish('c1', 2)).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.commands.find('c1')).toMatchObject({ answer: 1 });
      await expect(store.commands.finish('c2', 2)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('remembers the first install that saw it', async () => {
      await emptyLog(store, 'c1');
      await store.commands.markSeen('c1', 'i1');
      await store.commands.markSeen('c1', 'i2');
      expect(await store.commands.find('c1')).toMatchObject({ seenBy: 'i1' });
      await expect(store.commands.markSeen('c2', 'i1')).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  describe('logs', () => {
    it('takes chunks only where the log ends, and says where that is', async () => {
      const { id, buildId } = await emptyLog(store);
      await store.logs.append(id, chunkOf(Buffer.from('one\ntwo\n'), 0, 'raw'));
      for (const offset of [0, 7, 9]) {
        const late = store.logs.append(id, chunkOf(Buffer.from('x'), offset, 'raw'));
        await expect(late).rejects.toMatchObject({ code: 'wrong-offset', wanted: 8 });
      }
      await store.logs.append(id, chunkOf(Buffer.from('three'), 8, 'gzip'));
      expect(await store.logs.list(buildId)).toMatchObject([{ id, length: 13, lines: 2, isComplete: false }]);
      expect((await readAll(store, id)).toString()).toBe('one\ntwo\nthree');
    });

    it('keeps the order of chunks that are handed over at once, and completes after them', async () => {
      const { id } = await emptyLog(store);
      const lines = Array.from({ length: 60 }, (_, n) => `${n} ${'x'.repeat((n % 5) * 9_000)}\n`);
      let offset = 0;
      const writes = lines.map((line, n) => {
        const chunk = chunkOf(Buffer.from(line), offset, n % 2 ? 'gzip' : 'raw');
        offset += line.length;
        return store.logs.append(id, chunk);
      });
      await Promise.all([...writes, store.logs.complete(id, 5)]);
      expect((await readAll(store, id)).toString()).toBe(lines.join(''));
      expect(await store.logs.find(id)).toMatchObject({ isComplete: true, lines: 60, length: offset });
    });

    it('refuses a chunk that is not what its head says, and stays whole', async () => {
      const { id } = await emptyLog(store);
      const good = chunkOf(Buffer.from('a\nb\n'), 0, 'gzip');
      const bomb = chunkOf(Buffer.alloc(16 * 1024 * 1024), 0, 'gzip');
      const bad = [
        { ...good, length: 3 },
        { ...good, length: 5 },
        { ...good, lines: 1 },
        { ...good, length: 0 },
        { ...good, body: good.body.subarray(0, -3) },
        { ...good, body: Buffer.concat([good.body, Buffer.from('tail')]) },
        { ...good, body: Buffer.concat([good.body, Buffer.alloc(4)]) },
        { ...good, codec: 'raw' as const },
        { ...good, codec: 'hole' as const },
        { ...good, codec: 'cut' as const, body: Buffer.alloc(2_000) },
        { ...bomb, length: 262_144, lines: 0 },
        bomb,
      ];
      const results = await Promise.allSettled(bad.map((chunk) => store.logs.append(id, chunk)));
      for (const result of results) expect(result).toMatchObject({ reason: { code: 'bad-chunk' } });
      await store.logs.append(id, good);
      await store.logs.complete(id, 5);
      const late = store.logs.append(id, chunkOf(Buffer.from('x'), 4, 'raw'));
      await expect(late).rejects.toMatchObject({ code: 'bad-chunk' });
      expect((await readAll(store, id)).toString()).toBe('a\nb\n');
    });

    it('tells a hole as a line, with what is lost of the range', async () => {
      const { id } = await emptyLog(store);
      await store.logs.append(id, chunkOf(Buffer.from('ab'), 0, 'raw'));
      await store.logs.append(id, hole(2, 6_000_000_000));
      await store.logs.append(id, chunkOf(Buffer.from('cd'), 6_000_000_002, 'raw'));
      expect((await readAll(store, id)).toString()).toMatch(/^ab\n\[trunkline: 6000000000 bytes .*\]\ncd$/);
      expect((await readAll(store, id, 2, 12)).toString()).toMatch(/^\n\[trunkline: 10 bytes .*\]\n$/);
    });

    it('can be left in the middle, and knows what is not there', async () => {
      const { id } = await emptyLog(store);
      for (let at = 0; at < 100; at++) await store.logs.append(id, chunkOf(Buffer.from('x'), at, 'raw'));
      let pieces = 0;
      for await (const _ of store.logs.read(id, 0, 100)) if (++pieces === 2) break;
      expect(pieces).toBe(2);
      expect((await readAll(store, id, 100, 200)).length).toBe(0);
      expect((await readAll(store, id, 90, 200)).toString()).toBe('x'.repeat(10));
      await expect(readAll(store, 4711)).rejects.toMatchObject({ code: 'not-found' });
      await expect(store.logs.complete(4711, 1)).rejects.toMatchObject({ code: 'not-found' });
      const nowhere = store.logs.append(4711, chunkOf(Buffer.from('x'), 0, 'raw'));
      await expect(nowhere).rejects.toMatchObject({ code: 'not-found' });
    });
  });

  it('keeps the audit log, newest first', async () => {
    await store.audit.add({ atMs: 1, who: 'anna', action: 'stop', target: 'build 7', detail: { refused: true } });
    await store.audit.add({ atMs: 2, who: 'ben', action: 'force', target: 'p/b' });
    expect(await store.audit.list(10)).toEqual([
      { atMs: 2, who: 'ben', action: 'force', target: 'p/b' },
      { atMs: 1, who: 'anna', action: 'stop', target: 'build 7', detail: { refused: true } },
    ]);
    expect(await store.audit.list(1)).toHaveLength(1);
  });

  it('has everything again when it is opened again', async () => {
    const build = await claimedBuild(store);
    const log = await emptyLog(store);
    await store.logs.append(log.id, chunkOf(Buffer.from('kept\n'), 0, 'gzip'));
    const name = await store.masterId();
    await store.close();
    const again = await temp.open();
    expect(await again.masterId()).toBe(name);
    expect(await again.builds.running()).toEqual([build]);
    expect((await readAll(again, log.id)).toString()).toBe('kept\n');
  });
});
