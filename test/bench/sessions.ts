import { readdir } from 'node:fs/promises';
import { Farm } from '../support/farm.ts';
import { runOk } from '../support/run.ts';
import { startBenchHost } from './bench-host.ts';
import { startBenchWorker } from './bench-worker.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const SESSIONS = 1_000;
const DESCRIPTORS = 256;

interface Measured {
  readonly heapBytes: number;
  readonly descriptors: number;
}

/** 1,000 sessions on one connection, each running a command for 5 s at once; both daemons may open 256 descriptors. */
export async function sessions(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: [worker('w', { maxBuilds: ${SESSIONS} })], projects: [project('p', {
  builders: [builder('b', { workers: ['w'], steps: [sh('s', ['sleep', '5'])] })], schedulers: [force()] })] });
`);
    const host = await startBenchHost(farm.masterDir, { descriptors: DESCRIPTORS });
    const worker = await startBenchWorker(farm, host);
    await host.ask('force 10');
    // Once its keeper is there, which is exempt. The hard limit too: Node raises a soft one by itself.
    await runOk('prlimit', ['--pid', String(worker.process.pid), `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`]);
    const before = await host.ask<Measured>('measure');
    const ran = await host.ask<{ succeeded: number; most: number; atPeak?: Measured }>(`force ${SESSIONS}`);
    const workerDescriptors = (await readdir(`/proc/${worker.process.pid}/fd`)).length;
    const after = await host.ask<Measured>('measure');
    await worker.end();
    await host.close();
    const perSession = (measured: Measured): number => (measured.heapBytes - before.heapBytes) / SESSIONS / 1_024;
    return [
      figure('sessions: builds that succeeded', ran.succeeded, SESSIONS, 'of 1000'),
      figure('sessions: most at once', ran.most, SESSIONS, 'of 1000'),
      figure('sessions: master descriptors', after.descriptors, DESCRIPTORS, 'fds'),
      figure('sessions: worker descriptors', workerDescriptors, DESCRIPTORS, 'fds'),
      figure('sessions: heap of an open one', perSession(after), 10, 'KiB'),
      ...(ran.atPeak ? [figure('sessions: heap while it builds', perSession(ran.atPeak), 10, 'KiB')] : []),
    ];
  } finally {
    await farm.close();
  }
}
