import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import type { CreditWindows } from '../../../src/protocol/credit.ts';
import { KiB } from '../../../src/protocol/limits.ts';
import type { Link, MasterLink } from '../../../src/transport/link.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import { openWorkerLink } from '../../../src/transport/worker-link.ts';
import { until } from '../../support/ssh-stand.ts';
import { HELLO } from '../../support/hello.ts';

const WINDOWS: CreditWindows = { sessionBytes: 384 * KiB, workerFirstBytes: 384 * KiB, workerMostBytes: 384 * KiB };

async function links(): Promise<{ readonly worker: Link; readonly master: MasterLink }> {
  const carriers = memoryCarriers();
  const [master, worker] = await Promise.all([
    openMasterLink(carriers.master, {
      logger: silentLogger,
      principalName: 'w1',
      creditWindows: WINDOWS,
      admit: () => Promise.resolve({ epoch: 1, masterId: 'm1' }),
    }),
    openWorkerLink(carriers.worker, { hello: HELLO, logger: silentLogger }),
  ]);
  return { worker: worker.link, master: master.link };
}

function open(master: MasterLink, session: string, fence: number): void {
  master.bindSession(session);
  master.send('session.open', session, { fence, project: 'p', builder: 'b', directory: 'd' });
}

/** All that there is room for. */
function flood(worker: Link, session: string): number {
  let offset = 0;
  for (let room = worker.room(session, 'log'); room > 0; room = worker.room(session, 'log')) {
    const bytes = Buffer.alloc(room, 1);
    const head = { command: 'c', fence: 1, atMs: 1, lines: 0, codec: 'raw', position: 0 } as const;
    worker.send('log.append', session, { ...head, offset, length: room, size: room, bytes });
    offset += room;
  }
  return offset;
}

describe('a session that is released while its output is on the way', () => {
  it('takes no credit of the worker with it', async () => {
    const { worker, master } = await links();
    master.onMessage((message, wireBytes) => {
      if (message.type === 'log.append') master.consumed(message.session, wireBytes);
      if (message.type === 'session.closed') master.releaseSession(message.session);
    });
    let sent = 0;
    const closed = new Set<string>();
    worker.onRoom((session) => {
      sent += flood(worker, session);
      worker.send('session.closed', session, { fence: 1 });
      closed.add(session);
      // It is over: whoever comes late has no room.
      expect(worker.room(session, 'log')).toBe(0);
    });
    worker.onMessage(({ type, session }) => {
      if (type === 'session.open') expect(worker.room(session, 'log')).toBe(0);
    });
    for (let i = 0; i < 20; i++) {
      const before = sent;
      open(master, `S${i}`, 1);
      await until('it had room and was closed', () => closed.has(`S${i}`) && sent > before);
    }
  });

  it('has the credit that was given back meanwhile when it is opened again', async () => {
    const { worker, master } = await links();
    const held: number[] = [];
    master.onMessage((message, wireBytes) => {
      if (message.type === 'log.append') held.push(wireBytes);
      if (message.type === 'session.closed') master.releaseSession(message.session);
    });
    let sent = 0;
    worker.onRoom((session) => (sent += flood(worker, session)));
    worker.onMessage(({ type, session }) => {
      if (type === 'session.open') worker.room(session, 'log');
    });
    open(master, 'S', 1);
    await until('it has used all of its credit', () => held.length >= 10 && worker.room('S', 'log') === 0);
    worker.send('session.closed', 'S', { fence: 1 });
    await until('it is released', () => worker.stats().channels === 3);
    for (const bytes of held.splice(0)) master.consumed('S', bytes);
    const before = sent;
    open(master, 'S', 2);
    await until('more is sent', () => sent > before);
  });
});
