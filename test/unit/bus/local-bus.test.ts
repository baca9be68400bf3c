import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { LocalBus } from '../../../src/bus/local-bus.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

it('brings signals of one turn as one, and none to who has cancelled', async () => {
  const bus = new LocalBus(silentLogger);
  const heard: (string | number)[] = [];
  const cancel = bus.subscribe('builds', (key) => heard.push(key));
  for (const key of [1, 2, 1, 1]) bus.publish('builds', key);
  bus.publish('logs', 9);
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual([1, 2]);
  bus.publish('builds', 1);
  cancel();
  await turn();
  expect(heard).toEqual([1, 2]);
});

it('lets a listener publish, and keeps a failing one from the others', async () => {
  const told: string[] = [];
  const bus = new LocalBus({ ...silentLogger, error: (message) => void told.push(message) });
  const heard: (string | number)[] = [];
  bus.subscribe('requests', () => {
    throw new Error('no');
  });
  bus.subscribe('requests', (key) => {
    heard.push(key);
    if (key === 1) bus.publish('requests', 2);
  });
  bus.publish('requests', 1);
  await turn();
  await turn();
  expect(heard).toEqual([1, 2]);
  expect(told).toHaveLength(2);
});
