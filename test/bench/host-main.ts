import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../src/base/clock.ts';
import { openLogger } from '../../src/base/logger.ts';
import { answerCall } from '../../src/frontdoor/answer-call.ts';
import type { Logger } from '../../src/base/logger.ts';
import type { Asker } from '../../src/master/operator.ts';
import { openMaster } from '../../src/master/master.ts';

/**
 * A master in a process of its own that can be asked, line by line on standard input, for what only it can tell:
 * `measure` → its heap after a collection and its descriptors; `force N` → N builds of p/b at once: their results, what was
 * measured when all ran, and how long pings took from then until the first had ended. Arguments: folder, heartbeat.
 */
const [dir = '', heartbeatMs = ''] = process.argv.slice(2);
const asker: Asker = { name: 'bench', role: 'operator' };
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const told = openLogger({ level: 'warn' });
let roundTripsMs: number[] = [];
const logger: Logger = {
  ...told,
  debug(_message, { roundTripMs } = {}) {
    if (typeof roundTripMs === 'number') roundTripsMs.push(roundTripMs);
  },
};
const clock = systemClock;
const master = await openMaster({
  dir,
  clock,
  logger,
  ...(heartbeatMs !== '' && { heartbeatMs: Number(heartbeatMs) }),
  onPerson: (operator, asking, call) => answerCall({ operator, clock, logger }, asking, call),
});
answer({ port: master.port, hostKeyFingerprint: master.hostKeyFingerprint });

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, count] = line.split(' ');
  if (verb === 'measure') answer(measure());
  else if (verb === 'force') answer(await force(Number(count)));
  else if (verb === 'connected') answer({ connected: (await master.operator.status(asker)).workers.connected });
}
await master.stop();
await told.end();

function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function measure(): { readonly heapBytes: number; readonly descriptors: number } {
  collect();
  return { heapBytes: process.memoryUsage().heapUsed, descriptors: readdirSync('/proc/self/fd').length };
}

/** Forces so many builds at once; measures while all of them run, and again when all are done. */
async function force(count: number): Promise<unknown> {
  let running = 0;
  let most = 0;
  let atPeak: unknown;
  let whileAllRan: readonly number[] = [];
  const results = await Promise.all(
    Array.from({ length: count }, async () => {
      const request = await master.operator.force(asker, { project: 'p', builder: 'b' }, { properties: {} });
      let started = false;
      let result: string | null = null;
      for await (const progress of master.operator.watch(asker, request.id, AbortSignal.timeout(600_000))) {
        if (progress.kind !== 'build') continue;
        if (!started && progress.build.steps[0]?.logs.length) {
          started = true;
          running += 1;
          most = Math.max(most, running);
          if (running === count) {
            atPeak = measure();
            roundTripsMs = [];
          }
        }
        if (progress.build.state === 'finished') {
          if (running === count) whileAllRan = roundTripsMs;
          running -= 1;
        }
        result = progress.build.result;
      }
      return result;
    }),
  );
  const succeeded = results.filter((result) => result === 'success').length;
  return { succeeded, most, atPeak, roundTripsMs: whileAllRan };
}
