import { beforeEach, expect, it } from 'vitest';
import type { Build } from '../../../src/model/build.ts';
import { isBeingChecked } from '../../../src/model/build.ts';
import { CHECK_STEP } from '../../../src/config/code-host.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

const VPN = { key: 'farm/vpn', mode: 'exclusive', units: 1, slots: 1 } as const;

eachStore('start checks', (current) => {
  let store: Store;
  beforeEach(async () => {
    store = current.store;
    const term = { id: 't', builds: 5 };
    await store.workers.attach({ name: 'w', installId: 'i', bootId: 'b', processId: 'p', facts: {}, term }, 1);
  });

  /** A claimed build whose check has run a command, with its log. */
  async function checked(): Promise<Build> {
    const [request] = await store.requests.add(buildSet('b'));
    const build = await store.requests.claim({ ...claimOf(request!.id), isCheck: true, locks: [VPN] });
    const id = `${build.uid}.${CHECK_STEP}.1`;
    const record = { id, buildId: build.id, step: CHECK_STEP, key: '1', kind: 'run', call: {} };
    const log = await store.commands.start(record, { name: 'stdio' });
    const body = Buffer.from('busy\n');
    await store.logs.append(log!.id, { offset: 0, length: 5, lines: 1, atMs: 3, codec: 'raw', body });
    return build;
  }

  it('gives a build back as if there had been none, in one commit', async () => {
    const build = await checked();
    expect(isBeingChecked(build)).toBe(true);
    expect(await store.builds.list({ limit: 10 })).toEqual([]);
    expect(await store.builds.ofRequest(build.requestId)).toEqual([]);
    expect(await store.builds.running()).toHaveLength(1);
    const before = await store.requests.pending();
    await store.builds.giveBack(build.id, 9);
    expect(before).toEqual([]);
    expect((await store.requests.pending()).map(({ id }) => id)).toEqual([build.requestId]);
    expect(await store.requests.find(build.requestId)).not.toHaveProperty('buildId');
    expect(await store.builds.find(build.id)).toBeUndefined();
    expect(await store.builds.steps(build.id)).toEqual([]);
    expect(await store.builds.properties(build.id)).toEqual([]);
    expect(await store.commands.list(build.id)).toEqual([]);
    expect(await store.logs.list(build.id)).toEqual([]);
    expect(await store.locks.claims()).toEqual([]);
    expect((await store.workers.seats('w'))[0]).not.toHaveProperty('buildId');
    expect(await store.workers.find('w')).toMatchObject({ term: { builds: 5, given: 0 } });
    await expect(store.builds.giveBack(build.id, 9)).rejects.toMatchObject({ code: 'not-found' });
    const started = await store.requests.claim(claimOf(build.requestId));
    expect(started).toMatchObject({ number: 1, session: build.session });
  });

  it('gives a build that may start its number and its begin, and keeps nothing of the check', async () => {
    const build = await checked();
    const [other] = await store.requests.add(buildSet('b'));
    expect(await store.requests.claim(claimOf(other!.id))).toMatchObject({ number: 1 });
    expect(await store.builds.passCheck(build.id, 4_711)).toMatchObject({
      id: build.id,
      number: 2,
      startedAtMs: 4_711,
      state: 'running',
    });
    expect(await store.commands.list(build.id)).toEqual([]);
    expect(await store.logs.list(build.id)).toEqual([]);
    expect(await store.locks.claims()).toMatchObject([{ key: 'farm/vpn', owner: { buildId: build.id } }]);
    expect((await store.builds.list({ limit: 10 })).map(({ number }) => number)).toEqual([1, 2]);
    await expect(store.builds.giveBack(build.id, 9)).rejects.toMatchObject({ code: 'not-found' });
    await expect(store.builds.passCheck(build.id, 9)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('starts none that someone wants stopped: its request is cancelled with the reason', async () => {
    const build = await checked();
    await store.builds.requestStop(build.id, 'not today', 4);
    expect(await store.builds.passCheck(build.id, 5)).toBeUndefined();
    await store.builds.giveBack(build.id, 6);
    expect(await store.requests.find(build.requestId)).toMatchObject({ state: 'finished', result: 'cancelled' });
    expect(await store.requests.pending()).toEqual([]);
  });
});
