import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import type { MemoryFaults } from '../../../src/transport/memory-carrier.ts';
import { memoryCarriers } from '../../../src/transport/memory-carrier.ts';
import { connectSsh } from '../../../src/transport/ssh-client.ts';
import { listenSsh } from '../../../src/transport/ssh-server.ts';
import { faultStream } from '../../support/fault-stream.ts';
import { SEED, seeded } from '../../support/seed.ts';
import { ExchangeStand } from './exchange-stand.ts';

/** Every so many bytes; `TRUNKLINE_CUT_STEP=1` cuts at each. */
const STEP = Number(process.env['TRUNKLINE_CUT_STEP'] ?? 197);
/** Positions over real SSH; the full count is 300. */
const OVER_SSH = Number(process.env['TRUNKLINE_CUTS_OVER_SSH'] ?? 4);
/** Each exchange takes some 100 ms, on a machine that may be ten times busier. */
const LIMIT_MS = 3_600_000;

let stand: ExchangeStand;
beforeAll(async () => {
  stand = await ExchangeStand.make();
});
afterAll(() => stand.remove());

/** One exchange over lines in memory, of which the first one is hurt. */
async function overMemory(hurt: (faults: MemoryFaults) => void) {
  const lines: MemoryFaults[] = [];
  const wrong = await stand.exchange(async () => {
    const { worker, master, faults } = memoryCarriers();
    if (lines.push(faults) === 1) hurt(faults);
    stand.bench.desk.accept('w', master);
    return await Promise.resolve(worker);
  });
  return { wrong, lines };
}

test('an exchange that is cut at any byte is done all the same, once and whole', { timeout: LIMIT_MS }, async () => {
  const { wrong, lines } = await overMemory(() => undefined);
  expect(wrong).toEqual({});
  expect(lines).toHaveLength(1);
  for (const side of ['worker', 'master'] as const) {
    const bytes = lines[0]!.arrivedBytes(side);
    expect(bytes).toBeGreaterThan(500);
    for (let at = 0; at <= bytes; at += STEP) {
      const cut = await overMemory((faults) => faults.cutAfter(side, at));
      expect({ side, at, wrong: cut.wrong }).toEqual({ side, at, wrong: {} });
    }
  }
});

test(
  'an exchange over SSH that is cut anywhere is done all the same, once and whole',
  { timeout: LIMIT_MS },
  async () => {
    const random = seeded(SEED);
    const [host, key] = [makeKeyPair('host'), makeKeyPair('w')];
    const server = await listenSsh({
      host: '127.0.0.1',
      port: 0,
      hostKeys: [host.privateKey],
      clock: systemClock,
      logger: stand.logger,
      authenticate: (name, { blob }) =>
        blob === key.publicKey.blob ? { name, role: 'worker' } : { refused: 'unknown key' },
      onWorker: ({ name }, carrier) => stand.bench.desk.accept(name, carrier),
      onPerson: (_principal, call) => call.exit(1),
    });
    const relay = await faultStream(server.port);
    const connect = {
      host: '127.0.0.1',
      port: relay.port,
      user: 'w',
      privateKey: key.privateKey,
      hostKeys: [host.fingerprint],
    };
    try {
      expect(await stand.exchange(() => connectSsh(connect))).toEqual({});
      const whole = { there: relay.passed('there'), back: relay.passed('back') };
      for (let n = 0; n < OVER_SSH; n++) {
        const direction = random() < 0.5 ? 'there' : 'back';
        const at = 1 + Math.floor(random() * whole[direction]);
        relay.cutAfter(at, direction);
        const wrong = await stand.exchange(() => connectSsh(connect));
        relay.cutAfter(Infinity, direction);
        expect({ seed: SEED, n, direction, at, wrong }).toEqual({ seed: SEED, n, direction, at, wrong: {} });
      }
    } finally {
      await relay.close();
      await server.close();
    }
  },
);
