import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../src/protocol/limits.ts';
import { until } from '../../../support/until.ts';
import { DeskBench } from './desk-bench.ts';
import { WorkerPeer, held } from './worker-peer.ts';
import type { PeerOptions } from './worker-peer.ts';

let bench: DeskBench;

beforeEach(async () => {
  bench = await DeskBench.make();
});

afterEach(() => bench.remove());

const connect = (
  options: Partial<PeerOptions> = {},
  inventory: Parameters<typeof WorkerPeer.connect>[2] = {},
): Promise<WorkerPeer> => WorkerPeer.connect(bench.desk, { clock: bench.clock, ...options }, inventory);

async function fence(): Promise<number | undefined> {
  return (await bench.store.workers.seats('w'))[0]?.fence;
}

describe('a worker that lies', () => {
  it("is told to forget another's session and command, and harms neither", async () => {
    const honest = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await honest.started(order.command);
    const before = await fence();
    const seat = { session: bench.seat.session, fence: 1_000, directory: bench.seat.directory };
    const liar = await connect(
      { name: 'x', installId: 'install-x', useMux: true },
      { sessions: [seat], commands: [held(start, { fence: 1_000 })] },
    );
    const answer = await liar.got('inventory.answer');
    expect(answer.fields.sessions).toEqual([{ session: seat.session, verdict: 'forget' }]);
    expect(answer.fields.commands).toEqual([{ command: order.command, verdict: 'forget' }]);
    expect(await fence()).toBe(before);
    // Over mux its frames may name any session.
    liar.finish(start, 0, { exitCode: 99 });
    liar.link.send('session.failed', seat.session, { fence: start.fields.fence, code: 'x', message: 'x' });
    liar.link.send('session.closed', seat.session, { fence: start.fields.fence });
    liar.link.close({ code: 'stopping', message: 'all of it is sent' });
    await until('all of it is read', () => !bench.desk.connected().has('x'));
    await honest.print(start, 0, Buffer.from('true\n'));
    honest.finish(start, 5, { exitCode: 7 });
    expect(await outcome).toMatchObject({ exitCode: 7 });
    expect(await bench.text(order.log)).toBe('true\n');
  });

  it('finishes commands that nobody gave it, and is not heeded', async () => {
    const peer = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await peer.started(order.command);
    for (const command of ['nobody.0.1', `${bench.build.uid}.0.99`]) {
      peer.finish({ ...start, fields: { ...start.fields, command } }, 1_000);
    }
    peer.finish(start, 0, { exitCode: 7 });
    expect(await outcome).toMatchObject({ exitCode: 7 });
    expect(await bench.store.commands.find(`${bench.build.uid}.0.99`)).toBeUndefined();
  });

  it.each(['session', 'command'])('names a fence of its %s that no master gave, and is turned away', async (what) => {
    const first = await connect();
    const order = await bench.order();
    const outcome = bench.run(order);
    const start = await first.started(order.command);
    const given = (await fence()) ?? 0;
    const tooHigh = given + LIMITS.fenceLead + 1;
    for (const wild of [tooHigh, Number.MAX_SAFE_INTEGER]) {
      const { session, directory } = bench.seat;
      const sessions = what === 'session' ? [{ session, fence: wild, directory }] : [];
      const commands = what === 'command' ? [held(start, { fence: wild })] : [];
      const liar = await WorkerPeer.greet(bench.desk, { clock: bench.clock });
      liar.link.send('inventory', '', { sessions, commands, last: true });
      const end = await liar.link.closed;
      expect(end).toMatchObject({ cause: 'goodbye', code: 'bad-field' });
      expect(end.message).toMatch(new RegExp(`fence ${wild} .*${given} is the highest.*remove its folders`));
      expect(await fence()).toBe(given);
    }
    const honest = await connect({}, { commands: [held(start)] });
    honest.finish(start, 0, { exitCode: 7 });
    expect(await outcome).toMatchObject({ exitCode: 7 });
  });

  it('may be ahead by as much as a database can have been put back', async () => {
    const given = (await fence()) ?? 0;
    const { session, directory } = bench.seat;
    await connect({}, { sessions: [{ session, fence: given + LIMITS.fenceLead, directory }] });
    expect(await fence()).toBe(given + LIMITS.fenceLead + 1);
  });
});
