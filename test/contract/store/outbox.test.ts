import { beforeEach, expect, it } from 'vitest';
import { ENDED_KEPT, MOST_WAITING } from '../../../src/model/outbox.ts';
import type { NewMessage } from '../../../src/model/outbox.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

const message = (key: string, reporter = 'mail'): NewMessage => ({
  key,
  reporter,
  to: 'ann@example.org',
  subject: `about ${key}`,
  body: { text: 'hello', n: [1] },
});
const trouble = (worker: string) => ({ worker, kind: 'missing', sinceMs: 1, text: 'away' }) as const;

eachStore('the outbox', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });
  let workers = 0;
  const add = (...messages: readonly NewMessage[]): Promise<number | undefined> =>
    store.troubles.begin(trouble(`w${++workers}`), 1_000, () => messages);

  it('takes what is told of a trouble with its begin and its end, and only when it begins and ends', async () => {
    const id = await store.troubles.begin(trouble('w'), 1_000, (id) => [message(`begin of ${id}`)]);
    expect(await store.troubles.begin(trouble('w'), 2_000, () => [message('again')])).toBeUndefined();
    expect(await store.troubles.end(id!, 3_000, 'back', [message('end')])).toBe(true);
    expect(await store.troubles.end(id!, 4_000, 'back', [message('end again')])).toBe(false);
    const [end, begin, ...more] = await store.outbox.list(10);
    expect(more).toEqual([]);
    expect(begin).toEqual({
      ...message(`begin of ${id}`),
      id: 1,
      state: 'waiting',
      attempts: 0,
      createdAtMs: 1_000,
      waitsSinceMs: 1_000,
      nextTryMs: 1_000,
    });
    expect(end).toMatchObject({ key: 'end', createdAtMs: 3_000 });
  });

  it('keeps neither the trouble nor a message when one of the messages cannot be kept', async () => {
    await add(message('taken'));
    await expect(store.troubles.begin(trouble('v'), 1, () => [message('new'), message('taken')])).rejects.toThrow();
    expect((await store.troubles.open()).map(({ worker }) => worker)).not.toContain('v');
    const id = await store.troubles.begin(trouble('v'), 1, () => []);
    await expect(store.troubles.end(id!, 9, 'back', [message('new'), message('taken')])).rejects.toThrow();
    expect((await store.troubles.open()).map(({ worker }) => worker)).toContain('v');
    expect((await store.outbox.list(10)).map(({ key }) => key)).toEqual(['taken']);
  });

  it('gives the one to be tried first, and puts it off, sends it or gives it up', async () => {
    await add(message('a'), message('b'), message('c', 'hook'));
    expect(await store.outbox.reporters()).toEqual(['hook', 'mail']);
    const first = await store.outbox.next('mail');
    expect(first?.key).toBe('a');
    await store.outbox.putOff(first!.id, 'busy', 5_000);
    expect((await store.outbox.next('mail'))?.key).toBe('b');
    await store.outbox.sent((await store.outbox.next('mail'))!.id, 2_000);
    expect(await store.outbox.next('mail')).toMatchObject({
      key: 'a',
      attempts: 1,
      nextTryMs: 5_000,
      lastError: 'busy',
    });
    await store.outbox.giveUp(first!.id, 'nobody there', 6_000);
    expect(await store.outbox.next('mail')).toBeUndefined();
    expect(await store.outbox.reporters()).toEqual(['hook']);
    expect(await store.outbox.find(first!.id)).toMatchObject({
      state: 'given-up',
      attempts: 2,
      endedAtMs: 6_000,
      lastError: 'nobody there',
    });
    await store.outbox.giveUpOf('hook', 'not configured', 7_000);
    expect(await store.outbox.reporters()).toEqual([]);
  });

  it('has one that was given up tried again, none that was sent, and forgets what is dropped', async () => {
    await add(message('a'), message('b'));
    await store.outbox.sent(1, 2_000);
    await expect(store.outbox.retry(1, 3_000)).rejects.toMatchObject({ code: 'not-found' });
    await store.outbox.giveUp(2, 'no', 2_000);
    await store.outbox.retry(2, 3_000);
    const again = await store.outbox.next('mail');
    expect(again).toMatchObject({ id: 2, attempts: 0, waitsSinceMs: 3_000, nextTryMs: 3_000 });
    expect(again).not.toHaveProperty('endedAtMs');
    await store.outbox.drop(2);
    await expect(store.outbox.drop(2)).rejects.toMatchObject({ code: 'not-found' });
    // It was on its way when it was dropped.
    await store.outbox.putOff(2, 'late', 9_000);
    expect((await store.outbox.list(10)).map(({ id }) => id)).toEqual([1]);
  });

  it('lets so many wait, gives the oldest up, and keeps so many that ended, for so long', async () => {
    const extra = ENDED_KEPT.messages + 5;
    await add(...Array.from({ length: MOST_WAITING + extra }, (_, n) => message(`m${n}`)));
    const ofState = async (id: number): Promise<string | undefined> => (await store.outbox.find(id))?.state;
    expect([await ofState(5), await ofState(6), await ofState(extra), await ofState(extra + 1)]).toEqual([
      undefined,
      'given-up',
      'given-up',
      'waiting',
    ]);
    expect((await store.outbox.find(extra))?.lastError).toMatch(/more than 10000 messages waited/);
    await store.outbox.sent(extra + 1, 1_000 + ENDED_KEPT.ms + 1);
    expect([await ofState(extra), await ofState(extra + 1)]).toEqual([undefined, 'sent']);
  }, 60_000);
});
