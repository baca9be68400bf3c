import { createHash } from 'node:crypto';
import { copyFile, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Farm, PROGRAM, startDaemon } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { startStockSshd } from '../support/stock-sshd.ts';
import { run } from '../support/run.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';
import { variedLines } from './varied-lines.ts';

const MB = 1_000_000;

/** A step prints 200 MB of varied lines of 100 bytes; stored, acknowledged and equal. */
export function log(): Promise<readonly Figure[]> {
  return transfer('log', 200 * MB, variedLines);
}

/** The same with the worker of one file, whose encryption is Node's, without ssh2's native part. */
export function logOfOneFile(): Promise<readonly Figure[]> {
  return transfer('log, one-file worker', 200 * MB, variedLines, startOneFile);
}

/** Far from any node_modules, where it would find that part. */
async function startOneFile(farm: Farm): Promise<Daemon> {
  const program = join(farm.dir, 'worker.mjs');
  await copyFile(join(dirname(dirname(PROGRAM)), 'dist/worker.mjs'), program);
  return await startDaemon(['start', farm.workerDir('w')], {}, { program });
}

/** A step prints one line of 20 MB. */
export function line(): Promise<readonly Figure[]> {
  return transfer('line', 20 * MB, (size) => Buffer.alloc(size, 'a line that does not end; '));
}

async function transfer(
  name: string,
  size: number,
  make: (size: number) => Buffer,
  start: (farm: Farm) => Promise<Daemon> = (farm) => farm.startWorker('w'),
): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    const file = join(farm.dir, 'content');
    const content = make(size);
    const handle = await open(file, 'w');
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: [worker('w')], projects: [project('p', {
  builders: [builder('b', { workers: ['w'], steps: [sh('print', 'cat ${file}')] })], schedulers: [force()] })] });
`);
    await farm.startMaster();
    await farm.addWorker('w');
    const worker = await start(farm);
    const build = await farm.build('p/b');
    await worker.end();
    const stored = await farm.log(build.id, 'print');
    const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    if (sha(stored) !== sha(content))
      throw new Error(`what is stored is not what was printed: ${stored.length} of ${size} bytes`);
    const step = build.steps[0];
    const tookMs = (step?.finishedAtMs ?? 0) - (step?.startedAtMs ?? 0);
    return [
      figure(
        `${name}: stored and equal`,
        size / MB / (tookMs / 1_000),
        ((size / MB) * 1_000) / (await peer(farm, file)),
        'MB/s',
      ),
    ];
  } finally {
    await farm.close();
  }
}

/** Stock ssh carries the same file into another, with fsync: milliseconds. */
async function peer(farm: Farm, file: string): Promise<number> {
  const sshd = await startStockSshd();
  try {
    const target = join(farm.dir, 'target');
    const words = sshd.sshArgs.map((word) => `'${word}'`).join(' ');
    const start = performance.now();
    const ran = await run('sh', ['-c', `ssh ${words} cat ${file} > ${target} && sync ${target}`]);
    const tookMs = performance.now() - start;
    if (ran.status !== 0) throw new Error(`the peer failed: ${ran.stderr}`);
    if (!(await readFile(target)).equals(await readFile(file))) throw new Error('the peer lost bytes');
    return tookMs;
  } finally {
    await sshd.close();
  }
}
