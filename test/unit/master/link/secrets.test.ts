import { afterEach, beforeEach, expect, test } from 'vitest';
import { secretVetoes } from '../../../../src/master/queue/secret-vetoes.ts';
import type { ConfigShape } from '../../../../src/config/shape.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer } from './worker-peer.ts';

let bench: DeskBench;
beforeEach(async () => {
  bench = await DeskBench.make();
});
afterEach(() => bench.remove());

const masks = [Buffer.from('correct horse')];

test('a command with a secret is not started on a worker that cannot mask it, nor is its file sent there', async () => {
  const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock, capabilities: ['files'] }, {});
  expect(bench.desk.canMask('w')).toBe(false);
  const put = { kind: 'put', path: 'key', size: 13, sha256: '0'.repeat(64), secret: true } as const;
  for (const order of [{ ...(await bench.order()), masks }, await bench.order(put)]) {
    const outcome = await bench.run(order);
    expect(outcome).toMatchObject({ status: 'refused', fault: 'worker' });
    expect(outcome.message).toMatch(/^it needs a secret, which \S+ \S+ cannot mask; upgrade the worker/);
  }
  // The first that it is told to start is the one without a secret.
  const plain = await bench.order();
  void bench.run(plain);
  expect((await worker.started(plain.command)).fields).not.toHaveProperty('masks');
});

test('a worker that masks is told what, and who sits there', async () => {
  const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock, capabilities: ['mask'] }, {});
  await until('it is here', () => bench.desk.canMask('w'));
  const order = { ...(await bench.order()), masks };
  void bench.run(order);
  expect((await worker.got('session.open')).fields.build).toBe(bench.build.id);
  const { fields } = await worker.started(order.command);
  expect(fields.masks?.map((mask) => Buffer.from(mask).toString())).toEqual(['correct horse']);
});

test('builders with secrets are not for workers that are here and cannot mask', () => {
  const builders = [
    { name: 'with', workers: ['old', 'new', 'away'], secrets: ['key'] },
    { name: 'without', workers: ['old'] },
  ];
  const config = { projects: [{ name: 'kate', builders }] } as unknown as ConfigShape;
  const vetoes = secretVetoes(config, new Set(['old', 'new']), (worker) => worker === 'new');
  expect([...vetoes]).toEqual([['kate/with old', { text: 'it cannot mask the secrets that are needed; upgrade it' }]]);
});
