import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Farm } from '../support/farm.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const STEPS = 200;

/** A build of 200 steps `true`; the peer spawns `true` and makes one small write durable. Milliseconds a step. */
export async function step(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: [worker('w')], projects: [project('p', {
  builders: [builder('b', { workers: ['w'], steps: Array.from({ length: ${STEPS} }, (_, i) => sh('s' + i, ['true'])) })], schedulers: [force()] })] });
`);
    await farm.startMaster();
    await farm.addWorker('w');
    await farm.startWorker('w');
    await farm.build('p/b');
    const build = await farm.build('p/b');
    if (build.result !== 'success') throw new Error(`the build ended as ${build.result}`);
    const oursMs = ((build.finishedAtMs ?? 0) - build.startedAtMs) / STEPS;
    return [figure('step: true', oursMs, await bareSpawnMs(), 'ms')];
  } finally {
    await farm.close();
  }
}

async function bareSpawnMs(): Promise<number> {
  const path = join(tmpdir(), `tl-bench-${process.pid}`);
  const file = await open(path, 'w');
  try {
    const start = performance.now();
    for (let i = 0; i < STEPS; i++) {
      await once(spawn('true', { stdio: 'ignore' }), 'exit');
      await file.write('done\n');
      await file.sync();
    }
    return (performance.now() - start) / STEPS;
  } finally {
    await file.close();
    await rm(path);
  }
}
