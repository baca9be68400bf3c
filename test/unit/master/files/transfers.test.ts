import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from '../link/desk-bench.ts';
import { WorkerPeer, held, sha256 } from '../link/worker-peer.ts';

let bench: DeskBench;
const body = randomBytes(1_300_001);

beforeEach(async () => {
  bench = await DeskBench.make();
});

afterEach(() => bench.remove());

const connect = (inventory = {}): Promise<WorkerPeer> =>
  WorkerPeer.connect(bench.desk, { clock: bench.clock }, inventory);

/** What came of a file, in order; acknowledges it as it comes. */
async function pullAll(worker: WorkerPeer, session: string, command: string, from: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let offset = from;
  await until('all of the file came', () => {
    for (const { fields } of worker.all('file.data').slice(pieces.length)) {
      expect(fields.offset).toBe(offset);
      offset += fields.bytes.byteLength;
      pieces.push(fields.bytes);
    }
    worker.link.send('file.ack', session, { command, offset });
    return offset >= body.length;
  });
  return Buffer.concat(pieces);
}

describe('put', () => {
  it('sends the file from any offset, never more than the window ahead', async () => {
    const path = join(bench.dir, 'source');
    await writeFile(path, body);
    const order = await bench.order({ kind: 'put', path: 'x', size: body.length, sha256: sha256(body) }, path);
    const worker = await connect();
    const outcome = bench.run(order);
    const start = await worker.started(order.command);
    worker.link.send('file.pull', start.session, { command: order.command, fence: start.fields.fence, offset: 1_000 });
    const sent = (): number => worker.all('file.data').reduce((sum, { fields }) => sum + fields.bytes.byteLength, 0);
    await until('the window is full', () => sent() >= LIMITS.transferWindowBytes);
    expect(sent()).toBe(LIMITS.transferWindowBytes);
    const got = await pullAll(worker, start.session, order.command, 1_000);
    expect(got.equals(body.subarray(1_000))).toBe(true);
    worker.finish(start, 0, { status: 'done' });
    expect(await outcome).toMatchObject({ status: 'done' });
  });

  it('tells why there is nothing to send', async () => {
    const worker = await connect();
    const path = join(bench.dir, 'source');
    const pull = async (file: string): Promise<string> => {
      const order = await bench.order({ kind: 'put', path: 'x', size: 5 }, file);
      void bench.run(order);
      const start = await worker.started(order.command);
      worker.link.send('file.pull', start.session, { command: order.command, fence: start.fields.fence, offset: 0 });
      return (await worker.got('file.refused', ({ command }) => command === order.command)).fields.code;
    };
    await writeFile(path, 'other');
    await truncate(path, 4);
    expect(await pull(path)).toBe('changed');
    expect(await pull(join(bench.dir, 'nothing'))).toBe('not-found');
    expect(await pull(bench.dir)).toBe('unreadable');
  });
});

describe('get', () => {
  const get = async (spec = {}) => {
    const target = join(bench.dir, 'artifacts/deep/file');
    const order = await bench.order({ kind: 'get', path: 'x', ...spec }, target);
    return { target, order, outcome: bench.run(order) };
  };

  it('takes a file in, and goes on after a cut at what is on disk', async () => {
    const first = await connect();
    const { target, order, outcome } = await get();
    const start = await first.started(order.command);
    const push = { command: order.command, fence: start.fields.fence, size: body.length };
    first.link.send('file.push', start.session, push);
    expect((await first.got('file.want')).fields.offset).toBe(0);
    await first.pushFile(start, body, 0, 700_000);
    await first.got('file.ack', ({ offset }) => offset === 700_000);
    first.faults.cut();
    await until('the loss is seen', () => !bench.desk.connected().has('w'));
    const second = await connect({ commands: [held(start)] });
    await second.got('session.open');
    second.link.send('file.push', start.session, push);
    expect((await second.got('file.want')).fields.offset).toBe(700_000);
    await second.pushFile(start, body, 700_000);
    await second.got('file.stored');
    expect(body.equals(await readFile(target))).toBe(true);
    second.finish(start, 0, { status: 'done' });
    expect(await outcome).toMatchObject({ status: 'done' });
    expect(await readdir(bench.filesDir)).toEqual([]);
  });

  it('takes in what was pushed before the build of a new master gave its order again', async () => {
    const first = await connect();
    const { target, order } = await get();
    const start = await first.started(order.command);
    await until('it is stored', async () => (await bench.store.commands.find(order.command))?.seenBy);
    await bench.restart();
    const second = await connect({ commands: [held(start)] });
    const { fence } = (await second.got('session.open')).fields;
    const now = { ...start, fields: { ...start.fields, fence } };
    second.link.send('file.push', start.session, { command: order.command, fence, size: body.length });
    void bench.run(order);
    await second.got('file.want');
    await second.pushFile(now, body, 0);
    await second.got('file.stored');
    expect((await stat(target)).size).toBe(body.length);
  });

  it('refuses what is too big, what is damaged, and what cannot be stored', async () => {
    const worker = await connect();
    const refusal = async (order: { command: string }, size: number, content = body): Promise<string> => {
      const start = await worker.started(order.command);
      worker.link.send('file.push', start.session, { command: order.command, fence: start.fields.fence, size });
      const refused = worker.got('file.refused', ({ command }) => command === order.command);
      if (size === content.length) {
        await worker.got('file.want', ({ command }) => command === order.command);
        const { fields } = start;
        worker.link.send('file.data', start.session, {
          command: order.command,
          fence: fields.fence,
          offset: 0,
          bytes: content,
        });
        worker.link.send('file.end', start.session, {
          command: order.command,
          fence: fields.fence,
          size,
          sha256: sha256(body),
        });
      }
      return (await refused).fields.code;
    };
    const { order: big, target } = await get({ maxBytes: 10 });
    expect(await refusal(big, 11)).toBe('too-big');
    const { order: damaged } = await get();
    expect(await refusal(damaged, 4, Buffer.from('oops'))).toBe('damaged');
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(bench.filesDir)).toEqual([]);
    await rm(bench.filesDir, { recursive: true });
    await writeFile(bench.filesDir, 'in the way');
    const { order: blocked } = await get();
    expect(await refusal(blocked, 4_000_000)).toBe('disk');
    await rm(bench.filesDir);
    await mkdir(bench.filesDir);
  });

  it('drops the part of a file whose command is forgotten, or was when a master began', async () => {
    const worker = await connect();
    const { order } = await get();
    const start = await worker.started(order.command);
    worker.link.send('file.push', start.session, {
      command: order.command,
      fence: start.fields.fence,
      size: body.length,
    });
    await worker.got('file.want');
    await worker.pushFile(start, body, 0, 100_000);
    await worker.got('file.ack', ({ offset }) => offset === 100_000);
    expect(await readdir(bench.filesDir)).toHaveLength(1);
    bench.desk.forget(order.command);
    await until('the part is gone', async () => (await readdir(bench.filesDir)).length === 0);
    await writeFile(join(bench.filesDir, 'nobody.part'), 'x');
    await bench.restart();
    await connect();
    expect(await readdir(bench.filesDir)).toEqual([]);
  });
});

describe('what not every worker can', () => {
  it('is taken in no further than an honest worker goes', async () => {
    const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock, capabilities: ['files', 'files2'] });
    const order = await bench.order({ kind: 'glob', path: '*' }, join(bench.dir, 'list'));
    void bench.run(order);
    const start = await worker.started(order.command);
    const { fence } = start.fields;
    const size = LIMITS.listBytes + 1;
    worker.link.send('file.push', start.session, { command: order.command, fence, size });
    expect((await worker.got('file.refused')).fields.code).toBe('too-big');
  });

  it('is not asked of a worker without the capability, and the step is told why', async () => {
    await connect();
    const order = await bench.order({ kind: 'glob', path: '*' }, join(bench.dir, 'list'));
    const { status, message, fault } = await bench.run(order);
    expect({ status, fault }).toEqual({ status: 'refused', fault: undefined });
    expect(message).toContain('knows no "glob" (capability files2)');
  });
});
