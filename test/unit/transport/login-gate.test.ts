import { once } from 'node:events';
import { Socket, connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { LoginGate } from '../../../src/transport/login-gate.ts';
import type { LoginGateLimits, LoginPlace } from '../../../src/transport/login-gate.ts';
import { LoginPenalty } from '../../../src/transport/login-penalty.ts';
import { until } from '../../support/ssh-stand.ts';

describe('the gate before the login', () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const step of undo.splice(0).reverse()) step();
  });

  interface Stand {
    readonly admitted: { readonly socket: Socket; readonly place: LoginPlace }[];
    /** The server's ends, admitted or not. */
    readonly arrived: Socket[];
    readonly gate: LoginGate;
    readonly refused: () => number;
    readonly come: (localAddress?: string) => Promise<Socket>;
  }

  async function stand(limits: Partial<LoginGateLimits>): Promise<Stand> {
    const admitted: Stand['admitted'] = [];
    const arrived: Socket[] = [];
    let refused = 0;
    const all = { unauthenticated: 100, unauthenticatedPerAddress: 100, handshakes: 100, waiting: 100, ...limits };
    const gate = new LoginGate(all, (socket, place) => admitted.push({ socket, place }));
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      undo.push(() => socket.destroy());
      arrived.push(socket);
      if (!gate.enter(socket)) refused++;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    return {
      admitted,
      arrived,
      gate,
      refused: () => refused,
      come: async (localAddress = '127.0.0.1') => {
        const before = arrived.length;
        const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress });
        undo.push(() => socket.destroy());
        await once(socket, 'connect');
        await until('it came', () => arrived.length > before);
        return socket;
      },
    };
  }

  it.each([
    ['in all', { unauthenticated: 2 }],
    ['of one address', { unauthenticatedPerAddress: 2 }],
  ])('lets so many in %s; the others wait, in order, and are not dropped', async (_what, limits) => {
    const { admitted, gate, come } = await stand(limits);
    for (let i = 0; i < 4; i++) await come();
    expect([admitted.length, gate.waitingCount]).toEqual([2, 2]);
    admitted[0]!.place.leave();
    expect([admitted.length, gate.waitingCount]).toEqual([3, 1]);
    admitted[0]!.place.leave();
    expect(admitted.length).toBe(3);
    admitted[1]!.place.leave();
    expect([admitted.length, gate.waitingCount, gate.unauthenticatedCount]).toEqual([4, 0, 2]);
  });

  it('has so many exchange keys at once', async () => {
    const { admitted, come } = await stand({ handshakes: 1 });
    for (let i = 0; i < 3; i++) await come();
    expect(admitted.length).toBe(1);
    admitted[0]!.place.handshakeDone();
    expect(admitted.length).toBe(2);
    admitted[1]!.place.leave();
    expect(admitted.length).toBe(3);
  });

  it('refuses when even the waiting are too many, and forgets who goes while waiting', async () => {
    const { admitted, gate, refused, come, arrived } = await stand({ unauthenticated: 1, waiting: 2 });
    await come();
    await come();
    await come();
    expect(gate.waitingCount).toBe(2);
    await come();
    expect(refused()).toBe(1);
    const gone = arrived[1]!;
    const closed = once(gone, 'close');
    gone.destroy();
    await closed;
    expect(gate.waitingCount).toBe(1);
    admitted[0]!.place.leave();
    expect([admitted.length, gate.waitingCount]).toEqual([2, 0]);
  });

  it('lets an address that floods push its own connections away, not those of others', async () => {
    const { admitted, arrived, gate, refused, come } = await stand({ unauthenticated: 1, waiting: 3 });
    for (let i = 0; i < 4; i++) await come();
    expect(gate.waitingCount).toBe(3);
    await come('127.0.0.2');
    expect([gate.waitingCount, refused()]).toEqual([3, 0]);
    expect(arrived.map((socket) => socket.destroyed)).toEqual([false, false, false, true, false]);
    await come();
    expect(refused()).toBe(1);
    expect(admitted.length).toBe(1);
  });
});

describe('the gate, while one address sends no end of connections that say nothing', () => {
  it('has room for the key exchange of another one, and lets that one in first', () => {
    const { gate, admitted } = fakes({ handshakes: 4 });
    for (let i = 0; i < 10; i++) gate.enter(fakeSocket('1.1.1.1'));
    expect(admitted.length).toBe(2);
    gate.enter(fakeSocket('2.2.2.2'));
    expect(admitted.length).toBe(3);

    const few = fakes({ unauthenticated: 2 });
    for (const address of ['1.1.1.1', '1.1.1.1', '1.1.1.1', '2.2.2.2']) few.gate.enter(fakeSocket(address));
    few.admitted[0]!.place.leave();
    expect(few.admitted.map(({ socket }) => socket.remoteAddress)).toEqual(['1.1.1.1', '1.1.1.1', '2.2.2.2']);
  });

  it('takes its oldest places away for those that have none, when two such addresses hold them all', async () => {
    const { gate, admitted } = fakes({ handshakes: 8 });
    for (const address of ['1.1.1.1', '2.2.2.2']) for (let i = 0; i < 9; i++) gate.enter(fakeSocket(address));
    expect(admitted.length).toBe(8);
    for (const { socket, place } of admitted.slice()) socket.once('close', () => place.leave());
    const came = (): string[] => admitted.slice(8).map(({ socket }) => socket.remoteAddress ?? '');
    for (const address of ['3.3.3.3', '4.4.4.4', '3.3.3.3']) gate.enter(fakeSocket(address));
    await until('both are in', () => came().length >= 2);
    expect(came().slice(0, 2)).toEqual(['3.3.3.3', '4.4.4.4']);
    expect(admitted.slice(0, 8).filter(({ socket }) => socket.destroyed)).toHaveLength(2);
    expect([admitted[0]!.socket.destroyed, gate.unauthenticatedCount]).toEqual([true, 8]);
  });

  it('takes the addresses of one IPv6 network for one', () => {
    const { gate, admitted } = fakes({ unauthenticatedPerAddress: 2 });
    for (const host of ['2001:db8:0:1::1', '2001:db8:0:1:2::', '2001:db8:0:1::3', '2001:db8:0:2::3']) {
      gate.enter(fakeSocket(host));
    }
    expect(admitted.length).toBe(3);
    for (const host of ['::1', '::ffff:10.0.0.1', '::ffff:10.0.0.1', '::ffff:10.0.0.1']) gate.enter(fakeSocket(host));
    expect(admitted.length).toBe(6);
  });

  it('closes one of its waiting connections when the process can hold no more', () => {
    const { gate, admitted } = fakes({ unauthenticatedPerAddress: 1 });
    const waiting = fakeSocket('1.1.1.1');
    for (const socket of [fakeSocket('1.1.1.1'), waiting]) gate.enter(socket, false);
    expect(gate.enter(fakeSocket('1.1.1.1'), true)).toBe(false);
    expect(gate.enter(fakeSocket('2.2.2.2'), true)).toBe(true);
    expect([waiting.destroyed, admitted.length]).toEqual([true, 2]);
    expect(gate.enter(fakeSocket('3.3.3.3'), true)).toBe(false);
  });

  function fakes(limits: Partial<LoginGateLimits>) {
    const admitted: { readonly socket: Socket; readonly place: LoginPlace }[] = [];
    const all = { unauthenticated: 100, unauthenticatedPerAddress: 100, handshakes: 100, waiting: 100, ...limits };
    return { admitted, gate: new LoginGate(all, (socket, place) => admitted.push({ socket, place })) };
  }

  /** Any address can be had only so. */
  function fakeSocket(address: string): Socket {
    return Object.defineProperty(new Socket(), 'remoteAddress', { value: address });
  }
});

describe('the penalty for failed logins', () => {
  it('grows for one address, name and key, to a bound, and is forgotten in time', () => {
    const clock = new FakeClock();
    const penalty = new LoginPenalty(clock);
    expect([1, 2, 3, 4].map(() => penalty.failed('a', 'n', 'k'))).toEqual([100, 200, 400, 800]);
    expect(penalty.failed('a', 'n', 'other')).toBe(100);
    expect(penalty.failed('b', 'n', 'k')).toBe(100);
    for (let i = 0; i < 20; i++) penalty.failed('a', 'n', 'k');
    expect(penalty.failed('a', 'n', 'k')).toBe(5_000);
    clock.advance(11 * 60_000);
    expect(penalty.failed('a', 'n', 'k')).toBe(100);
  });
});
