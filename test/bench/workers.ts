import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Backoff } from '../../src/base/backoff.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { ulid } from '../../src/base/ulid.ts';
import { makeKeyPair } from '../../src/transport/keys.ts';
import { connectSsh } from '../../src/transport/ssh-client.ts';
import { openWorkerLink } from '../../src/transport/worker-link.ts';
import { Farm } from '../support/farm.ts';
import { HELLO } from '../support/hello.ts';
import { until } from '../support/until.ts';
import { startBenchHost } from './bench-host.ts';
import type { BenchHost } from './bench-host.ts';
import { figure } from './figure.ts';
import type { Figure } from './figure.ts';

const WORKERS = 1_000;

/** 1,000 workers attach, from one address; then all are cut at once and come back. The workers' ends live in this process. */
export async function workers(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    const names = Array.from({ length: WORKERS }, (_, i) => `w${i}`);
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
const names = ${JSON.stringify(names)};
export default defineMaster({ title: 'Bench', workers: names.map((name) => worker(name)), projects: [project('p', {
  builders: [builder('b', { workers: names, steps: [sh('t', 'true')] })], schedulers: [force()] })] });
`);
    const folder = join(farm.masterDir, 'keys', 'workers');
    await mkdir(folder, { recursive: true });
    const herd: Bencher[] = [];
    for (const name of names) {
      const key = makeKeyPair(name);
      await writeFile(join(folder, `${name}.pub`), `${key.publicKeyLine}\n`);
      herd.push({ name, privateKey: key.privateKey, installId: ulid() });
    }
    const host = await startBenchHost(farm.masterDir);
    const before = await host.ask<{ heapBytes: number; descriptors: number }>('measure');
    const attach = async (): Promise<{ readonly tookMs: number; readonly cut: () => void }> => {
      const start = performance.now();
      const cuts = await Promise.all(herd.map((one) => connect(one, host)));
      await until(
        'all are there',
        async () => (await host.ask<{ connected: number }>('connected')).connected === WORKERS,
        120_000,
      );
      return { tookMs: performance.now() - start, cut: () => cuts.forEach((cut) => cut()) };
    };
    const first = await attach();
    const with1000 = await host.ask<{ heapBytes: number; descriptors: number }>('measure');
    first.cut();
    const second = await attach();
    second.cut();
    await host.close();
    return [
      figure('workers: all attached', first.tookMs / 1_000, null, 's'),
      figure('workers: all back after a cut', second.tookMs / 1_000, 30, 's'),
      figure('workers: descriptors of the master', with1000.descriptors - before.descriptors, WORKERS, 'fds'),
      figure('workers: heap of one', (with1000.heapBytes - before.heapBytes) / WORKERS / 1_024, 100, 'KiB'),
    ];
  } finally {
    await farm.close();
  }
}

interface Bencher {
  readonly name: string;
  readonly privateKey: string;
  readonly installId: string;
}

/** Connects as the daemon does, with its back-off; resolves with what cuts the line. */
async function connect(worker: Bencher, host: BenchHost): Promise<() => void> {
  const backoff = new Backoff({ firstMs: 500, maxMs: 30_000 });
  for (let tries = 1; ; tries++) {
    await new Promise((resolve) => setTimeout(resolve, backoff.next()));
    try {
      const carrier = await connectSsh({
        host: '127.0.0.1',
        port: host.port,
        user: worker.name,
        privateKey: worker.privateKey,
        hostKeys: [host.hostKeyFingerprint],
      });
      const { link } = await openWorkerLink(carrier, {
        hello: { ...HELLO, worker: worker.name, installId: worker.installId },
        logger: silentLogger,
      });
      link.send('inventory', '', { sessions: [], commands: [], last: true });
      return () => link.destroy('cut by the bench');
    } catch (error) {
      if (tries === 10) throw error;
    }
  }
}
