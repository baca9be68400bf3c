import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { LocalBus } from '../../../src/bus/local-bus.ts';
import { approveBuild } from '../../../src/master/operator-approve.ts';
import type { Store } from '../../../src/store/store.ts';
import { buildSet, TempStore } from '../../support/temp-store.ts';

const ANN = { name: 'ann', role: 'developer' } as const;
const FORK = { branch: 'refs/pull/7/head', untrustedOf: 'mallory' };
const REVISION = 'c0ffee'.repeat(6);

let temp: TempStore;
let store: Store;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
});
afterEach(() => temp.remove());

async function added(source: object): Promise<string> {
  const [request] = await store.requests.add({ ...buildSet('b'), source });
  return `request:${request!.id}`;
}

const approve = (name: string, revision?: string) =>
  approveBuild({ store, clock: temp.clock, bus: new LocalBus(silentLogger) }, ANN, name, revision);

test('what cannot be approved is told with the reason, and is in the audit log', async () => {
  const own = await added({ branch: 'main', revision: REVISION });
  await expect(approve(own)).rejects.toThrow('what it builds is of no fork');
  const tip = await added(FORK);
  await expect(approve(tip)).rejects.toThrow('rebuild without --latest');
  await expect(approve('request:99')).rejects.toMatchObject({ code: 'not-found' });
  for (const name of ['99', 'p/b', 'p#0', '#7', '']) {
    await expect(approve(name, REVISION)).rejects.toMatchObject({ code: 'usage' });
  }
  const waiting = await added({ ...FORK, revision: REVISION });
  await expect(approve(waiting, 'deadbeef')).rejects.toThrow(`is of revision ${REVISION}, not deadbeef`);
  await expect(approve(waiting, REVISION.slice(0, 12))).rejects.toThrow(`not ${REVISION.slice(0, 12)}`);
  await expect(approve('p#7', REVISION.slice(0, 12))).rejects.toThrow(`its whole hash; these wait: ${REVISION}`);
  expect(await store.audit.list(100)).toHaveLength(11);
  expect(await approve(waiting, REVISION.toUpperCase())).toMatchObject({ revision: REVISION });
  expect((await store.audit.list(1))[0]).toMatchObject({
    who: 'ann',
    action: 'approve a build',
    target: waiting,
    detail: { project: 'p', revision: REVISION },
  });
});

test('whoever may not force a build may not approve one', async () => {
  const waiting = await added({ ...FORK, revision: REVISION });
  const sources = { store, clock: temp.clock, bus: new LocalBus(silentLogger) };
  await expect(approveBuild(sources, { name: 'rita', role: 'reader' }, waiting, undefined)).rejects.toMatchObject({
    code: 'forbidden',
  });
  expect((await store.requests.pending())[0]).toMatchObject({ approval: 'needed' });
});
