import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { encode } from '../../../src/protocol/codec.ts';
import { frame } from '../../../src/protocol/frame.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import type { Fields } from '../../../src/protocol/messages.ts';
import type { Carrier, Channel } from '../../../src/transport/carrier.ts';
import type { MasterLink } from '../../../src/transport/link.ts';
import { openMasterLink } from '../../../src/transport/master-link.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import { until } from '../../support/ssh-stand.ts';
import { HELLO } from '../../support/hello.ts';

interface Raw {
  readonly carrier: Carrier;
  readonly control: Channel;
  readonly link: MasterLink;
}

/** A worker that says hello properly and then what a test lets it say. */
async function raw(): Promise<Raw> {
  const { worker, master } = memoryCarriers();
  const opened = openMasterLink(master, {
    logger: silentLogger,
    principalName: 'w1',
    admit: () => Promise.resolve({ epoch: 1, masterId: 'm' }),
  });
  const control = await worker.openChannel('trunkline-control');
  control.onData(() => {});
  control.write(encode('hello', '', HELLO));
  return { carrier: worker, control, link: (await opened).link };
}

describe('a master ends the link of a worker that', () => {
  it.each<readonly [string, string, Uint8Array]>([
    ['announces a frame over the limit', 'frame-too-long', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['sends what is no frame', 'malformed', frame(Buffer.from([0xc1]))],
    ['says hello again', 'unexpected', encode('hello', '', HELLO)],
    ['says what only a master says', 'wrong-direction', encode('credit', '', { total: 1 })],
    ['names a session on the control channel', 'wrong-session', encode('session.opened', 'S', { fence: 1 })],
  ])('%s', async (_what, code, bytes) => {
    const { control, link } = await raw();
    control.write(bytes);
    expect(await link.closed).toMatchObject({ cause: 'protocol', code });
  });

  it('opens more session channels than were asked for', async () => {
    const { carrier, link } = await raw();
    const most = LIMITS.spareChannels + LIMITS.channelsSlack;
    for (let i = 0; i < most; i++) await carrier.openChannel('trunkline-session');
    expect(link.stats().channels).toBe(most + 1);
    await carrier.openChannel('trunkline-session');
    expect(await link.closed).toMatchObject({ code: 'too-many-channels' });
  });

  it('opens a third bulk channel, or a second control channel', async () => {
    const first = await raw();
    for (let i = 0; i < 3; i++) await first.carrier.openChannel('trunkline-bulk');
    expect(await first.link.closed).toMatchObject({ code: 'too-many-channels' });
    const second = await raw();
    await second.carrier.openChannel('trunkline-mux');
    expect(await second.link.closed).toMatchObject({ code: 'unexpected' });
  });

  it('uses a spare channel before it is given to a session, or for another session', async () => {
    const early = await raw();
    const spare = await early.carrier.openChannel('trunkline-session');
    spare.write(encode('session.opened', 'S', { fence: 1 }));
    expect(await early.link.closed).toMatchObject({ code: 'unexpected' });

    const other = await raw();
    const channel = await other.carrier.openChannel('trunkline-session');
    const opened = new Promise((resolve) => channel.onData(resolve));
    other.link.bindSession('S');
    other.link.send('session.open', 'S', { fence: 1, project: 'p', builder: 'b', directory: 'd' });
    await opened;
    channel.write(encode('session.opened', 'T', { fence: 1 }));
    expect(await other.link.closed).toMatchObject({ code: 'wrong-session' });
  });

  it('closes the channel of a session, or sends more log than it was granted', async () => {
    for (const fault of ['close', 'flood'] as const) {
      const { carrier, link } = await raw();
      const channel = await carrier.openChannel('trunkline-session');
      const opened = new Promise((resolve) => channel.onData(resolve));
      link.bindSession('S');
      link.send('session.open', 'S', { fence: 1, project: 'p', builder: 'b', directory: 'd' });
      await opened;
      if (fault === 'close') channel.close();
      const bytes = new Uint8Array(32_000);
      const length = bytes.length;
      const head = {
        command: 'c',
        fence: 1,
        length,
        atMs: 1,
        lines: 0,
        codec: 'raw',
        size: length,
        position: 0,
      } as const;
      const floodBytes = fault === 'flood' ? 2 * LIMITS.sessionCreditBytes : 0;
      for (let offset = 0; offset < floodBytes; offset += length) {
        channel.write(encode('log.append', 'S', { ...head, offset, bytes }));
      }
      expect(await link.closed).toMatchObject({ code: fault === 'close' ? 'unexpected' : 'flow-violation' });
    }
  });

  it('begins files without end, and finishes none', async () => {
    const { carrier, link } = await raw();
    await carrier.openChannel('trunkline-session');
    link.bindSession('S');
    const bulk = await carrier.openChannel('trunkline-bulk');
    let isOver = false;
    void link.closed.then(() => (isOver = true));
    let begun = 0;
    await until('it gave up', () => {
      for (let i = 0; i < 1_000 && begun < 50_000; i++) {
        bulk.write(encode('file.pull', 'S', { command: `c${++begun}`, fence: 1, offset: 0 }));
      }
      return isOver;
    });
    expect(await link.closed).toMatchObject({ code: 'unexpected' });
  });

  it('says more than 4 KiB before its hello', async () => {
    const { worker, master } = memoryCarriers();
    const opened = openMasterLink(master, {
      logger: silentLogger,
      principalName: 'w1',
      admit: () => Promise.reject(new Error('not to be asked')),
    });
    const refused = expect(opened).rejects.toMatchObject({ code: 'frame-too-long' });
    const control = await worker.openChannel('trunkline-control');
    control.write(frame(new Uint8Array(LIMITS.frameBeforeHelloBytes + 1)));
    await refused;
    await worker.closed;
  });

  it('does not read', async () => {
    const { carrier, link, control } = await raw();
    control.pause();
    const message = 'x'.repeat(1_000);
    let isOver = false;
    void link.closed.then(() => (isOver = true));
    await until('it gave up', () => {
      for (let i = 0; i < 1_000; i++) link.send('inventory.answer', '', answer(message));
      return isOver;
    });
    expect(await link.closed).toMatchObject({ cause: 'protocol' });
    await carrier.closed;
  });
});

function answer(text: string): Fields<'inventory.answer'> {
  const command = text.slice(0, 200);
  return {
    sessions: [],
    commands: Array.from({ length: 50 }, () => ({ command, verdict: 'forget' as const })),
    last: true,
  };
}
