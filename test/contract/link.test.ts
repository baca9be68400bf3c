import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import type { Fields, Message, MessageType } from '../../src/protocol/messages.ts';
import type { Carrier } from '../../src/transport/carrier.ts';
import type { Link, MasterLink } from '../../src/transport/link.ts';
import { openMasterLink } from '../../src/transport/master-link.ts';
import type { MasterLinkOptions } from '../../src/transport/master-link.ts';
import { memoryCarriers } from '../../src/transport/memory-carrier.ts';
import { openWorkerLink } from '../../src/transport/worker-link.ts';
import { sshPair } from '../support/ssh-pair.ts';
import { startStockSshd } from '../support/stock-sshd.ts';
import { HELLO } from '../support/hello.ts';

interface Pair {
  readonly worker: Carrier;
  readonly master: Carrier;
  close(): Promise<void>;
}

const CARRIERS: Readonly<Record<string, () => Promise<Pair>>> = {
  memory: () => {
    const { worker, master, faults } = memoryCarriers();
    return Promise.resolve({
      worker,
      master,
      close: () => {
        faults.cut();
        return Promise.resolve();
      },
    });
  },
  SSH: () => sshPair(),
  'SSH through a jump host': async () => sshPair({}, { jumpHosts: [await (await gate).jumpHost()] }),
};

const gate = startStockSshd();
afterAll(async () => await (await gate).close());

interface Links {
  readonly worker: Link;
  readonly master: MasterLink;
}

describe.each(Object.keys(CARRIERS))('a link over %s', (kind) => {
  const open: Pair[] = [];
  afterEach(async () => {
    for (const pair of open.splice(0)) await pair.close();
  });

  async function carriers(): Promise<Pair> {
    const pair = await CARRIERS[kind]!();
    open.push(pair);
    return pair;
  }

  async function links(useMux: boolean, options: Partial<MasterLinkOptions> = {}): Promise<Links> {
    const pair = await carriers();
    const [master, worker] = await Promise.all([
      openMasterLink(pair.master, {
        logger: silentLogger,
        principalName: 'w1',
        admit: () => Promise.resolve({ epoch: 7, masterId: 'm1' }),
        ...options,
      }),
      openWorkerLink(pair.worker, { hello: HELLO, logger: silentLogger, useMux }),
    ]);
    expect(master.hello).toEqual(HELLO);
    expect(worker.welcome).toMatchObject({ protocol: 1, epoch: 7, masterId: 'm1' });
    return { worker: worker.link, master: master.link };
  }

  describe.each([
    ['channels of their own', false],
    ['one mux channel', true],
  ])('with %s', (_name, useMux) => {
    it('opens sessions and carries their messages both ways', async () => {
      const { worker, master } = await links(useMux);
      const sessions = Array.from({ length: 20 }, (_, index) => `S${index}`);
      worker.onMessage((message) => {
        if (message.type === 'session.open') worker.send('session.opened', message.session, { fence: 1 });
      });
      const opened = collect(master, 'session.opened', sessions.length);
      for (const session of sessions) {
        master.bindSession(session);
        master.send('session.open', session, { fence: 1, project: 'p', builder: 'b', directory: session });
      }
      expect((await opened).map(({ session }) => session).sort()).toEqual([...sessions].sort());
    });

    it('carries a log whole, in order, within the credit', async () => {
      const { worker, master } = await links(useMux);
      await openSession(worker, master, 'S');
      const sent = createHash('sha256');
      const received = createHash('sha256');
      const total = 3 * 1024 * 1024;
      let offset = 0;
      const done = new Promise<void>((resolve) => {
        master.onMessage((message, wireBytes) => {
          if (message.type !== 'log.append') return;
          received.update(message.fields.bytes);
          master.consumed(message.session, wireBytes);
          if (message.fields.offset + message.fields.length === total) resolve();
        });
      });
      const pump = (): void => {
        for (;;) {
          const room = Math.min(worker.room('S', 'log'), total - offset);
          if (room === 0) return;
          const bytes = randomBytes(room);
          sent.update(bytes);
          worker.send('log.append', 'S', chunk(offset, bytes));
          offset += room;
        }
      };
      worker.onRoom(pump);
      pump();
      await done;
      expect(received.digest('hex')).toBe(sent.digest('hex'));
    });

    it('lets every session end the chunk it begins, though credit comes back for whole chunks only', async () => {
      const { worker, master } = await links(useMux);
      const sessions = Array.from({ length: 20 }, (_, index) => `S${index}`);
      for (const session of sessions) await openSession(worker, master, session);
      const perSession = 3;
      const body = randomBytes(LIMITS.chunkBytes);
      const left = new Map(sessions.map((session) => [session, perSession]));
      const send = (session: string): void => {
        for (let rest = left.get(session) ?? 0; rest > 0; rest--) {
          const head = {
            command: 'c',
            fence: 1,
            offset: 0,
            length: body.length,
            atMs: 0,
            lines: 0,
            codec: 'raw' as const,
          };
          if (!worker.sendChunk(session, head, body)) return;
          left.set(session, rest - 1);
        }
      };
      const begun = new Map<string, number>();
      let whole = 0;
      const done = new Promise<void>((resolve) => {
        master.onMessage((message, wireBytes) => {
          if (message.type !== 'log.append') return;
          const { session, fields } = message;
          begun.set(session, (begun.get(session) ?? 0) + wireBytes);
          if (fields.position + fields.bytes.length < fields.size) return;
          master.consumed(session, begun.get(session) ?? 0);
          begun.delete(session);
          whole += 1;
          if (whole === sessions.length * perSession) resolve();
        });
      });
      worker.onRoom(send);
      for (const session of sessions) send(session);
      await done;
    });

    it('stops a sender whose bytes nobody deals with, and no other session', async () => {
      const { worker, master } = await links(useMux, {
        creditWindows: { sessionBytes: 128 * 1024, workerFirstBytes: 512 * 1024, workerMostBytes: 512 * 1024 },
      });
      await openSession(worker, master, 'stuck');
      await openSession(worker, master, 'free');
      const consumed = collect(master, 'log.hole', 1, (message, wireBytes) => {
        if (message.session === 'free') master.consumed(message.session, wireBytes);
      });
      let offset = 0;
      for (let room = worker.room('stuck', 'log'); room > 0; room = worker.room('stuck', 'log')) {
        worker.send('log.append', 'stuck', chunk(offset, Buffer.alloc(room, 1)));
        offset += room;
      }
      expect(offset).toBeGreaterThan(0);
      expect(offset).toBeLessThan(128 * 1024);
      let sent = 0;
      const pump = (): void => {
        for (let room = worker.room('free', 'log'); room > 0 && sent < 50; room = worker.room('free', 'log')) {
          worker.send('log.append', 'free', chunk(sent * 10_000, Buffer.alloc(Math.min(10_000, room), 2)));
          sent++;
        }
        if (sent === 50) worker.send('log.hole', 'free', { command: 'c', fence: 1, offset: 1, length: 1 });
      };
      worker.onRoom((session) => session === 'free' && pump());
      pump();
      await consumed;
      expect(worker.room('stuck', 'log')).toBe(0);
    });

    it('carries files beside, and answers on the way they came', async () => {
      const { worker, master } = await links(useMux);
      await openSession(worker, master, 'S');
      const size = 1_000_000;
      const body = randomBytes(size);
      const received: Buffer[] = [];
      const done = collect(worker, 'file.data', Math.ceil(size / 32_000), ({ fields }) => {
        if ('bytes' in fields) received.push(Buffer.from(fields.bytes));
      });
      master.onMessage((message) => {
        if (message.type !== 'file.pull') return;
        let at = 0;
        const pump = (): void => {
          while (at < size && master.room('S', 'bulk') >= 32_000) {
            const bytes = body.subarray(at, at + 32_000);
            master.send('file.data', 'S', { command: 'c1', fence: 1, offset: at, bytes });
            at += bytes.length;
          }
        };
        master.onRoom(pump);
        pump();
      });
      worker.send('file.pull', 'S', { command: 'c1', fence: 1, offset: 0 });
      await done;
      expect(Buffer.concat(received).equals(body)).toBe(true);
    });

    it('tells both sides of a goodbye, its code and when to come back', async () => {
      const { worker, master } = await links(useMux);
      master.close({ code: 'stopping', message: 'the master stops', retryAfterMs: 5_000 });
      expect(await worker.closed).toEqual({
        cause: 'goodbye',
        code: 'stopping',
        message: 'the master stops',
        retryAfterMs: 5_000,
      });
      expect(await master.closed).toMatchObject({ cause: 'closed' });
    });

    it('keeps what came before there was a listener', async () => {
      const { worker, master } = await links(useMux);
      worker.send('inventory', '', { sessions: [], commands: [], last: true });
      expect(await master.probe(20_000)).toBe(true);
      const [message] = await collect(master, 'inventory', 1);
      expect(message?.fields).toEqual({ sessions: [], commands: [], last: true });
    });
  });

  it('gives a session up and takes it again', async () => {
    const { worker, master } = await links(false);
    for (let round = 0; round < 20; round++) {
      await openSession(worker, master, 'S');
      master.releaseSession('S');
    }
    await openSession(worker, master, 'S');
    expect(master.stats().channels).toBeLessThan(12);
  });

  it('opens a thousand sessions on one connection', async () => {
    const { worker, master } = await links(false);
    const sessions = Array.from({ length: 1_000 }, (_, index) => `S${index}`);
    worker.onMessage((message) => {
      if (message.type === 'session.open') worker.send('session.opened', message.session, { fence: 1 });
    });
    const opened = collect(master, 'session.opened', sessions.length);
    for (const session of sessions) {
      master.bindSession(session);
      master.send('session.open', session, { fence: 1, project: 'p', builder: 'b', directory: session });
    }
    await opened;
    expect(worker.stats().channels).toBeGreaterThan(1_000);
  });

  it('refuses a worker with the code, the words and the delay of the admission', async () => {
    const pair = await carriers();
    const master = openMasterLink(pair.master, {
      logger: silentLogger,
      principalName: 'w1',
      admit: () =>
        Promise.resolve({
          goodbye: { code: 'duplicate-worker', message: 'w1 is here already, from host a', retryAfterMs: 9 },
        }),
    });
    const worker = openWorkerLink(pair.worker, { hello: HELLO, logger: silentLogger });
    const told = { code: 'duplicate-worker', message: 'w1 is here already, from host a', retryAfterMs: 9 };
    await Promise.all([expect(worker).rejects.toMatchObject(told), expect(master).rejects.toMatchObject(told)]);
  });

  it('refuses a version nobody speaks, and a name that is not the login’s', async () => {
    for (const [hello, code] of [
      [{ ...HELLO, protocols: [999] }, 'version'],
      [{ ...HELLO, worker: 'other' }, 'wrong-name'],
    ] as const) {
      const pair = await carriers();
      const master = openMasterLink(pair.master, {
        logger: silentLogger,
        principalName: 'w1',
        admit: () => Promise.reject(new Error('not to be asked')),
      });
      const worker = openWorkerLink(pair.worker, { hello, logger: silentLogger });
      await Promise.all([
        expect(worker).rejects.toMatchObject({ code }),
        expect(master).rejects.toMatchObject({ code }),
      ]);
    }
  });

  it('ends with the line', async () => {
    const { worker, master } = await links(false);
    worker.destroy('enough');
    expect(await worker.closed).toEqual({ cause: 'closed', message: 'enough' });
    expect(await master.closed).toMatchObject({ cause: 'lost' });
    master.send('command.forget', '', { command: 'c' });
    expect(await master.probe(20_000)).toBe(false);
  });
});

async function openSession(worker: Link, master: MasterLink, session: string): Promise<void> {
  const opened = collect(worker, 'session.open', 1);
  master.bindSession(session);
  master.send('session.open', session, { fence: 1, project: 'p', builder: 'b', directory: session });
  await opened;
}

function collect(
  link: Link,
  type: MessageType,
  count: number,
  each: (message: Message, wireBytes: number) => void = () => {},
): Promise<Message[]> {
  return new Promise((resolve) => {
    const found: Message[] = [];
    const cancel = link.onMessage((message, wireBytes) => {
      each(message, wireBytes);
      if (message.type !== type) return;
      found.push(message);
      if (found.length === count) {
        cancel();
        resolve(found);
      }
    });
  });
}

function chunk(offset: number, bytes: Uint8Array): Fields<'log.append'> {
  const length = bytes.byteLength;
  return {
    command: 'c',
    fence: 1,
    offset,
    length,
    atMs: 1,
    lines: 0,
    codec: 'raw',
    size: length,
    position: 0,
    bytes,
  };
}
