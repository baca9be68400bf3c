import { beforeEach, expect, it } from 'vitest';
import { buildsLeft, isHeld } from '../../../src/model/worker.ts';
import type { WorkerHold } from '../../../src/model/worker.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet } from '../../support/temp-store.ts';

const SID = { name: 'sid', installId: 'i1', bootId: 'b1', processId: 'p1', facts: {} };
const PAUSED: WorkerHold = { kind: 'paused', by: 'ann', sinceMs: 7, reason: 'disk swap' };

eachStore('worker states', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  async function claim(worker = 'sid'): Promise<number> {
    const [request] = await store.requests.add(buildSet('b'));
    const claimed = { requestId: request!.id, worker, configHash: 'c', stepNames: [], properties: [], atMs: 2 };
    return (await store.requests.claim(claimed)).id;
  }

  const refused = { code: 'lost-claim', message: expect.stringContaining('worker sid is given no builds') };

  it('keeps why a worker is held, through connections and a new start, until it is resumed', async () => {
    await store.workers.attach(SID, 1);
    expect(await store.workers.setHold('sid', PAUSED, [undefined, 'paused'])).toBeUndefined();
    await store.workers.attach({ ...SID, processId: 'p2' }, 2);
    await store.close();
    store = await current.temp.open();
    const sid = await store.workers.find('sid');
    expect(sid).toMatchObject({ epoch: 2, hold: PAUSED });
    expect(isHeld(sid!)).toBe(true);
    await expect(claim()).rejects.toMatchObject(refused);
    expect(await store.workers.setHold('sid', undefined, ['paused'])).toEqual(PAUSED);
    expect(await store.workers.find('sid')).not.toHaveProperty('hold');
    await claim();
  });

  it('holds only from what the caller expects, and also a worker that was never here', async () => {
    await store.workers.setHold('new', PAUSED, [undefined]);
    expect(await store.workers.find('new')).toEqual({
      name: 'new',
      facts: {},
      epoch: 0,
      isConnected: false,
      hold: PAUSED,
    });
    expect(await store.workers.setHold('new', { ...PAUSED, kind: 'retiring' }, ['draining'])).toEqual(PAUSED);
    expect(await store.workers.find('new')).toMatchObject({ hold: PAUSED });
    expect(await store.workers.attach({ ...SID, name: 'new' }, 3)).toBe(1);
    expect(await store.workers.find('new')).toMatchObject({ hold: PAUSED });
  });

  it('lists those that are to leave, and no others', async () => {
    for (const kind of ['paused', 'draining', 'drained', 'retiring', 'retiring-now', 'retired'] as const) {
      await store.workers.setHold(kind, { ...PAUSED, kind }, [undefined]);
    }
    await store.workers.attach({ ...SID, name: 'wishes' }, 1);
    await store.workers.setLeaving('wishes', SID.processId, 'it is replaced', 2);
    for (const name of ['sid', 'given', 'half-given']) {
      const builds = name === 'half-given' ? 2 : 1;
      await store.workers.attach({ ...SID, name, ...(name !== 'sid' && { term: { id: 't', builds } }) }, 1);
      await claim(name);
    }
    const leaving = await store.workers.leaving();
    expect(leaving.map(({ name }) => name)).toEqual(['draining', 'given', 'retiring', 'retiring-now', 'wishes']);
    const all = await store.workers.list();
    expect(leaving).toEqual(all.filter(({ name }) => leaving.some((one) => one.name === name)));
  });

  it('holds a retired name until it is admitted again', async () => {
    await store.workers.setHold('sid', { ...PAUSED, kind: 'retired' }, [undefined]);
    await expect(claim()).rejects.toMatchObject(refused);
    await store.workers.attach(SID, 1);
    expect(isHeld((await store.workers.find('sid'))!)).toBe(false);
    await claim();
  });

  it('retires a worker and withdraws its key in one, and neither when somebody took it back', async () => {
    const keys = [{ type: 'ssh-ed25519', blob: 'AAAA', comment: '' }];
    await store.principals.put({ name: 'sid', role: 'worker', keys, source: 'command' });
    await store.workers.setHold('sid', { ...PAUSED, kind: 'retiring' }, [undefined]);
    const [isTakenBack, isRetired] = await Promise.all([
      store.workers.setHold('sid', undefined, ['retiring']),
      store.workers.retire('sid', 'retiring', 8),
    ]);
    expect([isTakenBack?.kind, isRetired]).toEqual(['retiring', false]);
    expect(await store.principals.list()).toEqual([expect.not.objectContaining({ revokedAtMs: expect.anything() })]);
    await store.workers.setHold('sid', { ...PAUSED, kind: 'retiring' }, [undefined]);
    const [isRetiredNow, late] = await Promise.all([
      store.workers.retire('sid', 'retiring', 9),
      store.workers.setHold('sid', undefined, ['retiring']),
    ]);
    expect([isRetiredNow, late?.kind]).toEqual([true, 'retired']);
    expect(await store.workers.find('sid')).toMatchObject({ hold: { kind: 'retired', by: 'ann', sinceMs: 9 } });
    expect(await store.principals.list()).toMatchObject([{ name: 'sid', revokedAtMs: 9 }]);
  });

  it('retires a name that is no worker’s key any more, or was withdrawn before, and leaves a person of that name alone', async () => {
    for (const name of ['sid', 'ann', 'new']) {
      await store.workers.setHold(name, { ...PAUSED, kind: 'retiring-now' }, [undefined]);
    }
    await store.principals.put({ name: 'sid', role: 'worker', keys: [], source: 'command', revokedAtMs: 3 });
    await store.principals.put({ name: 'ann', role: 'operator', keys: [], source: 'folder' });
    for (const name of ['sid', 'ann', 'new']) expect(await store.workers.retire(name, 'retiring-now', 9)).toBe(true);
    const known = await store.principals.list();
    expect(known.map(({ name, revokedAtMs }) => [name, revokedAtMs])).toEqual([
      ['ann', undefined],
      ['sid', 3],
    ]);
  });

  it('gives nothing to a daemon that leaves, over all its connections, and all to the next one', async () => {
    await store.workers.attach(SID, 1);
    await store.workers.setLeaving('sid', 'p1', 'idle', 5);
    await store.workers.setLeaving('sid', 'p1', 'again', 6);
    await store.workers.attach(SID, 7);
    expect(await store.workers.find('sid')).toMatchObject({ leaving: { reason: 'idle', sinceMs: 5 } });
    await expect(claim()).rejects.toMatchObject(refused);
    await store.workers.attach({ ...SID, processId: 'p2' }, 8);
    // Late, of a daemon of the past.
    await store.workers.setLeaving('sid', 'p1', 'idle', 9);
    expect(await store.workers.find('sid')).not.toHaveProperty('leaving');
    await claim();
  });

  it('counts the builds of a term in the claim, whoever claims them and whatever restarts', async () => {
    const term = { id: 't1', builds: 2 };
    await store.workers.attach({ ...SID, term }, 1);
    const claims = await Promise.allSettled([claim(), claim(), claim(), claim()]);
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    await store.workers.attach({ ...SID, processId: 'p2', term }, 2);
    const sid = await store.workers.find('sid');
    expect(sid).toMatchObject({ term: { builds: 2, given: 2 } });
    expect([buildsLeft(sid!), isHeld(sid!)]).toEqual([0, true]);
    await expect(claim()).rejects.toMatchObject(refused);
    await store.workers.attach({ ...SID, processId: 'p3', term: { id: 't2', builds: 1 } }, 3);
    await claim();
    await expect(claim()).rejects.toMatchObject(refused);
    await store.workers.attach({ ...SID, processId: 'p4' }, 4);
    expect(await store.workers.find('sid')).not.toHaveProperty('term');
    await Promise.all([claim(), claim()]);
  });

  it('sets a worker aside for longer with each fault in a row, through a restart, until one build can be done', async () => {
    await store.workers.attach(SID, 1);
    const until = async (): Promise<number | undefined> => (await store.workers.find('sid'))?.aside?.untilMs;
    const waits: number[] = [];
    for (let n = 0, atMs = 1_000; n < 11; n++) {
      await store.workers.noteFault('sid', 'no space left', atMs);
      const untilMs = (await until()) ?? 0;
      waits.push(untilMs - atMs);
      atMs = untilMs;
    }
    expect(waits.slice(0, 3)).toEqual([10_000, 20_000, 40_000]);
    expect(waits.slice(8)).toEqual([2_560_000, 3_600_000, 3_600_000]);
    await store.close();
    store = await current.temp.open();
    expect(await store.workers.find('sid')).toMatchObject({ aside: { faults: 11, reason: 'no space left' } });
    await expect(claim()).rejects.toMatchObject(refused);
    await store.workers.noteNoFault('sid');
    expect(await store.workers.find('sid')).not.toHaveProperty('aside');
    await claim();
    await store.workers.noteFault('sid', 'no space left', 1_000);
    expect(await until()).toBe(11_000);
  });

  it('counts builds that end by one fault together once', async () => {
    await store.workers.attach(SID, 1);
    for (let n = 0; n < 8; n++) await store.workers.noteFault('sid', 'no space left', 1_000 + n);
    expect(await store.workers.find('sid')).toMatchObject({ aside: { faults: 1, untilMs: 11_000 } });
  });

  it('gives a worker builds again when the time for which it was set aside is over', async () => {
    await store.workers.attach(SID, 1);
    await store.workers.noteFault('sid', 'no space left', -9_998);
    await claim();
    await store.workers.noteFault('nobody', 'was never here', 1);
    expect(await store.workers.find('nobody')).toBeUndefined();
  });
});
