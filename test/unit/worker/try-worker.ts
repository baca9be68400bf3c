import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { initWorker } from '../../../src/worker/init-worker.ts';
import { openWorker } from '../../../src/worker/worker.ts';
import type { WorkerOptions } from '../../../src/worker/open-parts.ts';
import type { Worker } from '../../../src/worker/worker.ts';
import { until } from '../../support/until.ts';
import { ScriptedMaster } from './scripted-master.ts';

/** A fingerprint of the right form, of no key. */
export const SOME_HOST_KEY = `SHA256:${'A'.repeat(43)}`;

/** A worker's folder and a master for it; `close` ends and removes all. */
export class TryWorker {
  readonly dir: string;
  readonly master = new ScriptedMaster();
  worker: Worker | undefined;
  /** Of the next start. */
  options: Partial<WorkerOptions> = {};

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(): Promise<TryWorker> {
    const dir = join(await mkdtemp(join(tmpdir(), 'tl-w-')), 'w');
    await initWorker({ dir, name: 'w', masters: ['127.0.0.1:1'], hostKeys: [SOME_HOST_KEY] });
    return new TryWorker(dir);
  }

  async start(): Promise<Worker> {
    const { connect } = this.master;
    const { dir, options } = this;
    this.worker = await openWorker({
      dir,
      clock: systemClock,
      logger: silentLogger,
      version: '1',
      connect,
      ...options,
    });
    return this.worker;
  }

  /** A daemon that ends and is started again; its commands run on. */
  async restart(): Promise<void> {
    await this.worker?.stop();
    await this.start();
  }

  work(...names: string[]): string {
    return join(this.dir, 'work', ...names);
  }

  /** Forgets all, so that nothing runs on, then removes the folder. */
  async close(): Promise<void> {
    if (!this.worker || this.worker.state().link === 'stopped') await this.start();
    this.master.onLine = () => undefined;
    for (const command of this.master.orders.keys()) this.master.forget(command);
    await until('nothing runs on', async () => {
      const names = await readdir(join(this.dir, 'spool'));
      return !names.some((name) => this.master.orders.has(name));
    });
    await this.worker?.stop();
    await rm(join(this.dir, '..'), { recursive: true, force: true, maxRetries: 10 });
  }
}
