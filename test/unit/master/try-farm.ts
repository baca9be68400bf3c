import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { answerCall } from '../../../src/frontdoor/answer-call.ts';
import * as api from '../../../src/index.ts';
import { initMaster } from '../../../src/master/init-master.ts';
import { openMaster } from '../../../src/master/master.ts';
import type { Master, MasterOptions } from '../../../src/master/master.ts';
import type { Asker, Operator } from '../../../src/master/operator.ts';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { ForceProgress } from '../../../src/master/views/request.ts';
import { makeKeyPair, parsePublicKeys } from '../../../src/transport/keys.ts';
import { initWorker } from '../../../src/worker/init-worker.ts';
import type { WorkerOptions } from '../../../src/worker/open-parts.ts';
import { openWorker } from '../../../src/worker/worker.ts';
import type { Worker } from '../../../src/worker/worker.ts';
import { until } from '../../support/until.ts';

export const ADMIN: Asker = { name: 'admin', role: 'operator' };

/** A real master and real workers of it in this process, over SSH, in a folder of their own. */
export class TryFarm {
  readonly dir: string;
  readonly masterDir: string;
  #master: Master | undefined;
  #port = 0;
  readonly #workers = new Map<string, Worker | undefined>();

  private constructor(dir: string) {
    this.dir = dir;
    this.masterDir = join(dir, 'm');
  }

  /** Makes the master's folder; `body` is what stands in `defineMaster({ … })` after the title. */
  static async create(body: string): Promise<TryFarm> {
    const farm = new TryFarm(await mkdtemp(join(tmpdir(), 'tl-m-')));
    await initMaster(farm.masterDir, {
      listen: { host: '127.0.0.1', port: 0 },
      operator: { name: ADMIN.name, key: makeKeyPair('admin').publicKeyLine },
    });
    await farm.config(body);
    return farm;
  }

  async config(body: string): Promise<void> {
    await writeFile(
      join(this.masterDir, 'trunkline.config.ts'),
      `import { existsSync } from 'node:fs';\nimport { ${Object.keys(api).join(', ')} } from 'trunkline';\nexport default defineMaster({ title: 'Try', ${body} });\n`,
    );
  }

  async startMaster(more: Partial<MasterOptions> = {}): Promise<Master> {
    this.#master = await openMaster({
      dir: this.masterDir,
      clock: systemClock,
      logger: silentLogger,
      // A restarted master must be found where its workers look for it.
      listen: { host: '127.0.0.1', port: this.#port },
      onPerson: (operator, asker, call) =>
        answerCall({ operator, clock: systemClock, logger: silentLogger }, asker, call),
      ...more,
    });
    this.#port = this.#master.port;
    return this.#master;
  }

  get operator(): Operator {
    if (!this.#master) throw new Error('no master runs');
    return this.#master.operator;
  }

  async stopMaster(): Promise<void> {
    await this.#master?.stop();
    this.#master = undefined;
  }

  async startWorker(name: string, options: Partial<WorkerOptions> = {}): Promise<Worker> {
    await this.addWorker(name);
    const worker = await this.openWorker(name, options);
    await this.connected(name, true);
    return worker;
  }

  /** Makes its folder and lets it in, once. */
  async addWorker(name: string): Promise<void> {
    if (this.#workers.has(name)) return;
    const fingerprint = this.#master?.hostKeyFingerprint ?? '';
    const masters = [`127.0.0.1:${this.#port}`];
    await initWorker({ dir: join(this.dir, name), name, masters, hostKeys: [fingerprint] });
    this.#workers.set(name, undefined);
    await this.admitAgain(name);
  }

  /** Lets a worker in by the key in its folder. */
  async admitAgain(name: string): Promise<void> {
    const line = await readFile(join(this.dir, name, 'key.pub'), 'utf8');
    await this.operator.addWorker(ADMIN, name, parsePublicKeys(line));
  }

  /** Starts its daemon, and does not wait for its connection. */
  async openWorker(name: string, options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const worker = await openWorker({
      dir: join(this.dir, name),
      clock: systemClock,
      logger: silentLogger,
      ...options,
    });
    this.#workers.set(name, worker);
    return worker;
  }

  async stopWorker(name: string): Promise<void> {
    await this.#workers.get(name)?.stop();
    await this.connected(name, false);
  }

  async connected(name: string, wanted: boolean): Promise<void> {
    await until(`worker ${name} is ${wanted ? 'here' : 'away'}`, async () => {
      const view = (await this.operator.workers(ADMIN)).find((worker) => worker.name === name);
      return (view?.state === 'connected') === wanted;
    });
  }

  async force(builder: string, asker: Asker = ADMIN): Promise<number> {
    return (await this.operator.force(asker, { project: 'p', builder }, { properties: {} })).id;
  }

  /** All that is told of a request to its end. */
  async watch(request: number): Promise<readonly ForceProgress[]> {
    const told: ForceProgress[] = [];
    for await (const progress of this.operator.watch(ADMIN, request, new AbortController().signal)) told.push(progress);
    return told;
  }

  async build(builder: string): Promise<BuildView> {
    const last = (await this.watch(await this.force(builder))).at(-1);
    if (last?.kind !== 'build') throw new Error(`no build of ${builder}`);
    return last.build;
  }

  async finished(build: string): Promise<BuildView> {
    return await until(`build ${build} is finished`, async () => {
      const view = await this.operator.build(ADMIN, build);
      return view.state === 'finished' ? view : undefined;
    });
  }

  async log(build: string | number, step: string, log?: string): Promise<string> {
    const pieces: Uint8Array[] = [];
    const options = { from: 0, follow: false, ...(log !== undefined && { log }) };
    for await (const piece of this.operator.log(ADMIN, String(build), step, options)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }

  /** Waits for a file that a step makes in the farm's folder. */
  async path(...names: string[]): Promise<string> {
    const path = join(this.dir, ...names);
    await mkdir(join(path, '..'), { recursive: true });
    return path;
  }

  async close(): Promise<void> {
    for (const worker of this.#workers.values()) await worker?.stop();
    await this.#master?.stop();
    // Keepers outlive their daemon by design; they leave when their spool is gone.
    for (const name of this.#workers.keys()) await rm(join(this.dir, name, 'spool'), { recursive: true, force: true });
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20 });
  }
}
