import { beforeEach, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { claimedBuild, emptyLog } from '../../support/temp-store.ts';

eachStore('commands', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

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
