import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Ledger, wrongInLog } from '../../chaos/ledger.ts';
import type { LogRules } from '../../chaos/ledger.ts';
import { run } from '../../support/run.ts';
import type { Ran } from '../../support/run.ts';
import { until } from '../../support/until.ts';

// What never cries wolf and never cries at all look the same in a clean run: here it is shown that it cries.
const WHOLE: LogRules = { mayBeCut: false, mayBeMarked: () => false };
const CUT: LogRules = { ...WHOLE, mayBeCut: true };

let dir: string;
let ledger: Ledger;
const running: { readonly kill: () => void; readonly ended: Promise<Ran> }[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-l-'));
  ledger = await Ledger.create(join(dir, 'ledger'));
  await mkdir(join(dir, 'seat'));
});
afterEach(async () => {
  for (const { kill, ended } of running.splice(0)) {
    kill();
    await ended;
  }
  await rm(dir, { recursive: true, force: true });
});

function witness(command: string, bytes: number, generation: string, ...more: string[]): Promise<Ran> {
  return run('python3', [ledger.witness, ledger.dir, String(bytes), '0', '0', ...more], {
    cwd: join(dir, 'seat'),
    env: { TRUNKLINE_COMMAND: command, GENERATION: generation },
  });
}

/** One that lives until the test ends. */
async function living(command: string): Promise<void> {
  let kill = (): void => {};
  const ended = run('python3', ['-c', HOLDER, ledger.dir, ledger.witness], {
    cwd: join(dir, 'seat'),
    env: { TRUNKLINE_COMMAND: command, GENERATION: '1' },
    onSpawn: (child) => (kill = () => child.kill('SIGKILL')),
  });
  running.push({ kill, ended });
  await until('it holds its lock', async () => (await readdir(join(dir, 'ledger', 'ends'))).length > 0);
}

/** Runs the witness, and stays when that is through. */
const HOLDER = `
import runpy, sys, time
sys.argv = [sys.argv[2], sys.argv[1], '10', '0', '0']
try: runpy.run_path(sys.argv[0])
except SystemExit: pass
`.concat('time.sleep(1000)\n');

test('commands one after the other are in order', async () => {
  const { stdout } = await witness('U1.0.1', 5_000, '1');
  await witness('U2.0.1', 10, '2');
  expect(await wrongInLog(ledger, stdout, WHOLE)).toBeUndefined();
  expect(await ledger.report()).toEqual({
    commands: 2,
    starts: 2,
    startedTwice: [],
    overlaps: [],
    mixedConfigurations: [],
  });
});

test('a second start, two configurations in one build, and two builds in one folder are told', async () => {
  await witness('U1.0.1', 10, '1');
  await witness('U1.0.1', 10, '1');
  await witness('U1.1.1', 10, '2');
  const before = await ledger.report();
  expect(before.startedTwice).toEqual(['U1.0.1: 2 times']);
  expect(before.mixedConfigurations).toEqual(['U1: 1, 2']);
  expect(before.overlaps).toEqual([]);
  await rm(join(ledger.dir, 'ends'), { recursive: true });
  await mkdir(join(ledger.dir, 'ends'));
  await living('U2.0.1');
  await witness('U2.0.2', 10, '1');
  expect((await ledger.report()).overlaps).toEqual([]);
  await witness('U3.0.1', 10, '1');
  expect((await ledger.report()).overlaps).toEqual([expect.stringMatching(/^U3\.0\.1 in .*seat beside U2\.0\.1$/)]);
});

test('a log that lacks, repeats or changes a byte is told', async () => {
  const { stdout } = await witness('U1.0.1', 100_000, '1');
  expect(stdout.length).toBe(100_000);
  const changed = Buffer.from(stdout);
  changed[70_000] = 0;
  const repeated = Buffer.concat([stdout.subarray(0, 50_000), stdout.subarray(40_000)]);
  const holed = Buffer.concat([stdout.subarray(0, 50_000), stdout.subarray(60_000)]);
  for (const wrong of [changed, repeated, holed]) expect(await wrongInLog(ledger, wrong, CUT)).toContain('not what');
  expect(await wrongInLog(ledger, stdout.subarray(0, 99_999), CUT)).toBeUndefined();
  expect(await wrongInLog(ledger, stdout.subarray(0, 99_999), WHOLE)).toContain('99999 of 100000');
});

test('a log that says its keeper was killed is to be one whose keeper was', async () => {
  const { stdout } = await witness('U1.0.1', 1_000, '1');
  const mark = '[trunkline: the keeper of this command was killed: the end of its output may be missing]\n';
  const orphaned: LogRules = { ...WHOLE, mayBeMarked: (command) => command === 'U1.0.1' };
  const [inLine, atEnd] = [stdout.subarray(0, 900), stdout.subarray(0, stdout.indexOf('\n') + 1)];
  for (const stored of [Buffer.from(`${inLine.toString()}\n${mark}`), Buffer.from(`${atEnd.toString()}${mark}`)]) {
    expect(await wrongInLog(ledger, stored, orphaned)).toBeUndefined();
    expect(await wrongInLog(ledger, stored, WHOLE)).toContain('none was');
  }
  const changed = Buffer.from(`${inLine.toString('latin1', 0, 899)}X\n${mark}`);
  expect(await wrongInLog(ledger, changed, orphaned)).toContain('not what was printed');
});
