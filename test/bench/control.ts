import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Farm } from '../support/farm.ts';
import { startStockSshd } from '../support/stock-sshd.ts';
import { startBenchHost } from './bench-host.ts';
import { startBenchWorker } from './bench-worker.ts';
import { figure, quantile } from './figure.ts';
import type { Figure } from './figure.ts';
import { variedLines } from './varied-lines.ts';

const SESSIONS = 8;
const PRINT_S = 15;
const EVERY_MS = 20;

/**
 * How long a ping takes from the master's queue to the worker and back, while 8 sessions of that connection print flat out.
 * With `TRUNKLINE_BENCH_JUMP=1` the connection goes through a stock sshd. The peer: a byte to another process and back over bare TCP, at the same time on the same machine.
 */
export async function control(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  const gate = process.env['TRUNKLINE_BENCH_JUMP'] ? await startStockSshd() : undefined;
  try {
    const file = join(farm.dir, 'content');
    await writeFile(file, variedLines(4_000_000));
    const print = `end=$(($(date +%s) + ${PRINT_S})); while [ $(date +%s) -lt $end ]; do cat ${file}; done`;
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: [worker('w', { maxBuilds: ${SESSIONS} })], projects: [project('p', {
  builders: [builder('b', { workers: ['w'], steps: [sh('print', '${print}')] })], schedulers: [force()] })] });
`);
    const host = await startBenchHost(farm.masterDir, { heartbeatMs: EVERY_MS });
    const worker = await startBenchWorker(farm, host, gate);
    const echo = await openEcho();
    const peerMs: number[] = [];
    const printing = host.ask<{ succeeded: number; most: number; roundTripsMs: readonly number[] }>(
      `force ${SESSIONS}`,
    );
    const end = performance.now() + PRINT_S * 1_000;
    while (performance.now() < end) {
      peerMs.push(await echo.roundTripMs());
      await sleep(EVERY_MS);
    }
    const { succeeded, most, roundTripsMs } = await printing;
    echo.close();
    await worker.end();
    await host.close();
    if (succeeded < SESSIONS || most < SESSIONS)
      throw new Error(`only ${most} printed at once, ${succeeded} to their end`);
    return [
      figure('control: round trip, median', quantile(roundTripsMs, 0.5), quantile(peerMs, 0.5), 'ms'),
      figure('control: round trip, p99', quantile(roundTripsMs, 0.99), quantile(peerMs, 0.99), 'ms'),
    ];
  } finally {
    await farm.close();
    await gate?.close();
  }
}

interface Echo {
  roundTripMs(): Promise<number>;
  close(): void;
}

async function openEcho(): Promise<Echo> {
  const child = spawn(process.execPath, [resolve(import.meta.dirname, 'echo-main.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const socket: Socket = connect({ port: Number(port.toString()), host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return {
    async roundTripMs() {
      const start = performance.now();
      const answered = once(socket, 'data');
      socket.write('p');
      await answered;
      return performance.now() - start;
    },
    close() {
      socket.destroy();
      child.stdin.end();
    },
  };
}
