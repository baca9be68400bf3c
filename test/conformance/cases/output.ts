import { createHash } from 'node:crypto';
import { LIMITS, MiB } from '../../../src/protocol/limits.ts';
import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';
import { residentBytes } from '../program.ts';

/** A program that prints so many bytes that cannot be compressed, and the same each time. */
function noise(bytes: number): string {
  return `exec python3 -c 'import random, sys; r = random.Random(5)
for i in range(${bytes} // 50000): sys.stdout.buffer.write(r.getrandbits(400000).to_bytes(50000, "big"))'`;
}

const NOISE_STEP = 50_000;

/** Section 9: output on its way. */
export const output: readonly Case[] = [
  {
    id: 'C50',
    section: 9,
    rule: 'all output comes byte for byte, in chunks that inflate to their length and count their line feeds',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const { bytes, outputEnd } = await stage.run(line, 'S', 'c', 'i=0; while [ $i -lt 20000 ]; do echo line $i of some output; i=$((i+1)); done'); // prettier-ignore
      const wanted = Array.from({ length: 20_000 }, (_, i) => `line ${i} of some output\n`).join('');
      equal(sha256(bytes), sha256(Buffer.from(wanted)), 'the SHA-256 of the output');
      equal(outputEnd, wanted.length, 'outputEnd');
    },
  },
  {
    id: 'C51',
    section: 9,
    rule: 'the frames of a chunk have one head and follow each other without a gap; a data frame has 32 KiB at most',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const { bytes } = await stage.run(line, 'S', 'c', noise(20 * NOISE_STEP));
      equal(bytes.byteLength, 20 * NOISE_STEP, 'bytes:');
    },
  },
  {
    id: 'C52',
    section: 8,
    rule: 'outputEnd of command.finished is the number of bytes that were printed',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      for (const bytes of [0, 1, 4_097]) {
        stage.start(line, 'S', `c${bytes}`, `head -c ${bytes} /dev/zero`);
        const { outputEnd } = await line.expect('command.finished', 'S', { command: `c${bytes}` });
        equal(outputEnd, bytes, 'outputEnd');
      }
    },
  },
  {
    id: 'C53',
    section: 9,
    rule: 'before the first credit nothing is sent in the lane log',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 0;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo early');
      await line.expect('command.finished', 'S');
      await line.quiet(400, 'no log frame without credit');
      line.ledger.grant('S', 1 * MiB);
      await line.until('the output', () => stage.logs.of('c').end === 6);
    },
  },
  {
    id: 'C54',
    section: 9,
    rule: 'a session’s credit is never overrun, and output goes on when there is more',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 300_000;
      line.givesCredit = false;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      stage.start(line, 'S', 'c', noise(20 * NOISE_STEP));
      await line.until('output', () => stage.logs.of('c').end > 0);
      // The end needs no credit. More than was granted is a breach that the line tells.
      await line.expect('command.finished', 'S', { command: 'c' });
      await line.quietly(400);
      line.ledger.grant('S', 4 * MiB);
      await line.until('the rest', () => stage.logs.of('c').end === 20 * NOISE_STEP);
    },
  },
  {
    id: 'C55',
    section: 9,
    rule: 'the worker’s credit holds beside that of its sessions',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.workerBytes = 400_000;
      line.givesCredit = false;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      for (const session of ['S', 'T']) {
        await line.open(session);
        stage.start(line, session, `c${session}`, noise(10 * NOISE_STEP));
      }
      await line.until('output', () => line.ledger.spent('') > 100_000);
      await line.quietly(500);
      line.ledger.grant('', 8 * MiB);
      for (const session of ['S', 'T']) await stage.end(line, session, `c${session}`);
    },
  },
  {
    id: 'C56',
    section: 9,
    rule: 'a chunk is begun only when the credit covers all its frames',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 0;
      line.givesCredit = false;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      stage.start(line, 'S', 'c', noise(20 * NOISE_STEP));
      await line.expect('command.finished', 'S');
      for (let total = 40_000; total < 500_000; total += 70_000) {
        line.ledger.grant('S', total);
        await line.quietly(100);
        // Frames may be under way; those of a chunk that is covered come by themselves.
        await line.until('no chunk that is not whole', () => stage.logs.begunBytes === 0);
      }
      line.ledger.grant('S', 8 * MiB);
      await stage.ended(line, 'c', 20 * NOISE_STEP);
    },
  },
  {
    id: 'C57',
    section: 9,
    rule: 'a credit that is lower than one before is ignored',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      line.send('credit', 'S', { total: 1 });
      line.send('credit', '', { total: 1 });
      equal((await stage.run(line, 'S', 'c', 'echo on')).text, 'on\n', 'the output');
    },
  },
  {
    id: 'C58',
    section: 9,
    rule: 'a session without credit holds up no other',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 0;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      stage.start(line, 'S', 'c', noise(20 * NOISE_STEP));
      await line.expect('command.finished', 'S');
      await line.open('T');
      line.ledger.grant('T', 1 * MiB);
      equal((await stage.run(line, 'T', 'd', 'echo through')).text, 'through\n', 'the output of the other session');
      line.ledger.grant('S', 4 * MiB);
      await stage.ended(line, 'c', 20 * NOISE_STEP);
    },
  },
  {
    id: 'C59',
    section: 9,
    rule: 'at log.want the worker goes on from that offset',
    async run(stage) {
      const { line } = await stage.attach();
      line.acknowledges = false;
      await line.open('S');
      const { bytes } = await stage.run(line, 'S', 'c', 'printf 0123456789abcdef; sleep 0.3; printf more');
      const log = stage.logs.of('c');
      log.offsets.length = 0;
      log.pieces.length = 0;
      log.end = 10;
      line.send('log.want', 'S', { command: 'c', offset: 10 });
      await line.until('the output from there', () => log.end === bytes.byteLength);
      equal(log.offsets[0], 10, 'the next offset');
      equal(stage.logs.bytes('c').toString(), 'abcdefmore', 'the output from there');
    },
  },
  {
    id: 'C60',
    section: 9,
    rule: 'of bytes that the worker holds no more it sends a log.hole for exactly those, and goes on behind them',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      const ran = await stage.run(first, 'S', 'c', noise(400 * NOISE_STEP));
      first.cut();
      // The master's database was put back.
      const log = stage.logs.of('c');
      log.pieces.length = 0;
      log.end = 0;
      const { line, inventory } = await stage.attach();
      const outputStart = inventory.commands[0]?.outputStart;
      await line.open('S');
      await line.until('hole and output', () => log.end === ran.outputEnd);
      const left = stage.logs.bytes('c');
      const missing = ran.outputEnd - left.byteLength;
      equal(missing, outputStart, 'bytes that do not come again, its outputStart:');
      equal(log.holes, missing > 0 ? [{ offset: 0, length: missing, reason: 'lost' }] : [], 'holes');
      check(left.equals(ran.bytes.subarray(missing)), 'the same bytes again', 'others');
    },
  },
  {
    id: 'C61',
    section: 9,
    rule: 'of output beyond logMaxBytes come the head, a notice of one byte, a hole, and the tail',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const limit = 200_001;
      stage.start(line, 'S', 'c', `${noise(20 * NOISE_STEP).replace('exec ', '')}; while [ ! -e go ]; do sleep 0.05; done`, { logMaxBytes: limit }); // prettier-ignore
      const log = stage.logs.of('c');
      await line.until('the notice', () => log.holes.length > 0);
      const [notice] = log.holes;
      const tail = notice?.keepsBytes ?? -1;
      equal(notice, { offset: limit - tail, length: 1, reason: 'limit', keepsBytes: tail }, 'the notice');
      check(tail <= limit / 2 && tail <= LIMITS.logTailBytes, 'a tail of half the limit at most', tail);
      await stage.run(line, 'S', 'go', 'touch go');
      const { outputEnd } = await stage.end(line, 'S', 'c');
      equal(outputEnd, 20 * NOISE_STEP, 'outputEnd');
      const head = limit - tail;
      const leftOutBytes = outputEnd - limit;
      equal(log.holes.slice(1), [{ offset: head + 1, length: leftOutBytes - 1, reason: 'limit', leftOutBytes }], 'the hole'); // prettier-ignore
      const whole = (await stage.run(line, 'S', 'd', noise(20 * NOISE_STEP))).bytes;
      const wanted = Buffer.concat([whole.subarray(0, head), whole.subarray(outputEnd - tail)]);
      check(stage.logs.bytes('c').equals(wanted), 'head and tail as they were printed', 'other bytes');
    },
  },
  {
    id: 'C62',
    section: 9,
    rule: 'output that does not exceed logMaxBytes comes whole, without a hole',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const wanted = 'x'.repeat(3_000);
      const { text } = await stage.run(line, 'S', 'c', `printf ${wanted}`, { logMaxBytes: wanted.length });
      equal([text.length, stage.logs.of('c').holes], [wanted.length, []], 'bytes and holes:');
    },
  },
  {
    id: 'C63',
    section: 9,
    rule: 'output that waits for credit waits on disk: the worker’s memory does not grow with it',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 300_000;
      line.givesCredit = false;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      const before = residentBytes(stage.program.pid);
      stage.start(line, 'S', 'c', 'head -c 60000000 /dev/urandom');
      await line.until('output', () => stage.logs.of('c').end > 0);
      await line.quietly(1_000);
      const grown = (residentBytes(stage.program.pid) ?? 0) - (before ?? 0);
      check(grown < MOST_GROWN_BYTES, `less than ${MOST_GROWN_BYTES / MiB} MiB more than before`, `${Math.round(grown / MiB)} MiB`); // prettier-ignore
      line.send('command.interrupt', 'S', { command: 'c', fence: 1, reason: 'enough' });
    },
  },
];

/** Of 60 MB. */
const MOST_GROWN_BYTES = 40 * MiB;

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
