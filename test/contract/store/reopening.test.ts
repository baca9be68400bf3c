import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { chunkOf, readAll } from '../../support/log-chunks.ts';
import { claimedBuild, emptyLog } from '../../support/temp-store.ts';

eachStore('audit log and reopening', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
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
    const again = await current.temp.open();
    expect(await again.masterId()).toBe(name);
    expect(await again.builds.running()).toEqual([build]);
    expect((await readAll(again, log.id)).toString()).toBe('kept\n');
  });
});
