import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon, trunkline } from '../support/farm.ts';
import type { Daemon, Farm } from '../support/farm.ts';
import type { StockSshd } from '../support/stock-sshd.ts';
import { until } from '../support/until.ts';
import type { BenchHost } from './bench-host.ts';

/** The daemon of a worker `w` of the host's master, let in by its key file, and connected; through a jump host if one is given. */
export async function startBenchWorker(farm: Farm, host: BenchHost, gate?: StockSshd): Promise<Daemon> {
  const dir = farm.workerDir('w');
  const to = ['--master', `127.0.0.1:${host.port}`, '--host-key', host.hostKeyFingerprint];
  const made = await trunkline(['worker', 'init', dir, '--name', 'w', ...to, ...(gate ? jumpWords(gate) : [])]);
  if (made.status !== 0) throw new Error(made.stderr);
  await writeFile(join(farm.masterDir, 'keys/workers/w.pub'), await readFile(join(dir, 'key.pub')));
  const worker = await startDaemon(['worker', 'start', dir], { TRUNKLINE_LOG: 'error' });
  await until('the worker is there', async () => (await host.ask<{ connected: number }>('connected')).connected === 1);
  return worker;
}

function jumpWords({ user, port, hostKey, keyFile }: StockSshd): readonly string[] {
  return ['--jump', `${user}@127.0.0.1:${port}`, '--jump-host-key', hostKey, '--jump-key', keyFile];
}
