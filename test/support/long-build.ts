import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm } from './farm.ts';
import type { Daemon } from './farm.ts';
import { faultStream } from './fault-stream.ts';
import type { FaultStream } from './fault-stream.ts';
import { until } from './until.ts';

export interface LongBuildOptions {
  /** The second step prints so many bytes at least; 0 if not said. */
  readonly bytes?: number;
  /** As fast as it can, if not said. Time in which it was held up is made good. */
  readonly bytesPerSecond?: number;
  /** Of `sh`, for the second step: TypeScript. */
  readonly stepOptions?: string;
  /** Of `defineMaster` and of its builder: TypeScript, with a comma at the end. */
  readonly masterOptions?: string;
  readonly builderOptions?: string;
  /** The worker comes through `relay`. */
  readonly isRelayed?: boolean;
  /** It is the one in Python, started with these words more. */
  readonly python?: readonly string[];
  /** Of a daemon, and the worker's also of its keeper; `dir` is the farm's folder. */
  readonly env?: (daemon: 'master' | 'worker', dir: string) => Readonly<Record<string, string>>;
}

/** A worker that tried in vain for long tries again within 30 s, and the machine may be busy. */
export const BACK_MS = 180_000;

/**
 * A farm of real processes with one build, whose second step prints until it is let go. Each of its commands notes its start in a
 * file of its own: two files for one command are two starts. What was printed is hashed by the command itself.
 */
export class LongBuild {
  readonly farm: Farm;
  readonly #options: LongBuildOptions;
  #master: Daemon | undefined;
  #worker: Daemon | undefined;
  #relay: FaultStream | undefined;
  #id = 0;

  private constructor(farm: Farm, options: LongBuildOptions) {
    this.farm = farm;
    this.#options = options;
  }

  static async create(options: LongBuildOptions = {}): Promise<LongBuild> {
    const farm = await Farm.create();
    const build = new LongBuild(farm, options);
    await mkdir(join(farm.dir, 'starts'));
    await writeFile(join(farm.dir, 'printer.py'), PRINTER);
    await farm.config(config(farm.dir, options));
    await build.startMaster();
    if (options.isRelayed) build.#relay = await faultStream(farm.port);
    if (options.python) await farm.addPythonWorker('w', options.python, build.#relay?.port);
    else await farm.addWorker('w', build.#relay?.port);
    await build.startWorker();
    return build;
  }

  async close(): Promise<void> {
    await this.farm.close();
    await this.#relay?.close();
  }

  get relay(): FaultStream {
    if (!this.#relay) throw new Error('the worker comes straight to the master');
    return this.#relay;
  }

  get master(): Daemon {
    if (!this.#master) throw new Error('no master was started');
    return this.#master;
  }

  get worker(): Daemon {
    if (!this.#worker) throw new Error('no worker was started');
    return this.#worker;
  }

  get id(): number {
    return this.#id;
  }

  async startMaster(): Promise<void> {
    this.#master = await this.farm.startMaster(this.#options.env?.('master', this.farm.dir));
  }

  async startWorker(): Promise<void> {
    this.#worker = await this.farm.startWorker('w', this.#options.env?.('worker', this.farm.dir));
  }

  /** Starts a build and waits until its second step has printed something that the master holds. */
  async begin(): Promise<void> {
    const known = new Set((await this.farm.list()).map(({ id }) => id));
    expect((await this.farm.ssh(['force', 'p/b'])).status).toBe(0);
    const build = await until('the build runs', async () => (await this.farm.list()).find(({ id }) => !known.has(id)));
    this.#id = build.id;
    await this.storesMore(0);
  }

  /** Bytes of the second step's log that the master holds. */
  async stored(): Promise<number> {
    return (await this.farm.view(this.#id)).steps[1]?.logs[0]?.length ?? 0;
  }

  /** Waits until the log has grown over so many bytes, or over what it has now. */
  async storesMore(than?: number): Promise<void> {
    const before = than ?? (await this.stored());
    await until(`more than ${before} bytes are stored`, async () => (await this.stored()) > before, BACK_MS);
  }

  /** Bytes that the command has written so far. */
  async printed(): Promise<number> {
    return Number(await readFile(join(this.farm.dir, 'printed'), 'utf8'));
  }

  /** The second step's command on the worker's disk. */
  async spoolFolder(): Promise<string> {
    const spool = join(this.farm.workerDir('w'), 'spool');
    const [name] = (await readdir(spool)).filter((one) => !one.startsWith('.') && !one.startsWith('keeper-'));
    return join(spool, name ?? '');
  }

  /** The process that holds the second step's command. */
  async keeperPid(): Promise<number> {
    const claim = await readFile(join(await this.spoolFolder(), 'claim.json'), 'utf8');
    return (JSON.parse(claim) as { readonly keeper: { readonly pid: number } }).keeper.pid;
  }

  /** The command may end. */
  async letGo(): Promise<void> {
    await writeFile(join(this.farm.dir, 'go'), '');
  }

  /** Waits until the command has written all it had to write. */
  async commandHasEnded(boundMs?: number): Promise<void> {
    const hash = (): Promise<string | undefined> =>
      readFile(join(this.farm.dir, 'hash'), 'utf8').catch(() => undefined);
    await until('the command has ended', hash, boundMs);
  }

  /** Lets it go; waits for the build's end, and holds what is stored against what the commands noted themselves. */
  async endsWell(boundMs?: number): Promise<BuildView> {
    await this.letGo();
    const view = await this.finished(boundMs);
    const told = `${JSON.stringify(view)}; the worker says: ${this.worker.stderr()}`;
    expect(view.result, told).toBe('success');
    expect(view.properties).toContainEqual(expect.objectContaining({ name: 'sum', value: 6 }));
    expect(view.steps[1]?.logs[0]?.length).toBe(await this.printed());
    const sha256 = await this.farm.logSha256(this.#id, 'print');
    expect(sha256, told).toBe(await readFile(join(this.farm.dir, 'hash'), 'utf8'));
    expect(await this.starts()).toEqual(['first', 'left', 'one', 'print', 'right']);
    expect((await this.farm.list()).length).toBe(1);
    return view;
  }

  finished(boundMs?: number): Promise<BuildView> {
    return this.farm.finished(this.#id, boundMs);
  }

  /** Of the second step. */
  log(): Promise<Buffer> {
    return this.farm.log(this.#id, 'print');
  }

  /** The names of the commands that were started, one for each start. */
  async starts(): Promise<readonly string[]> {
    const starts = (await readdir(join(this.farm.dir, 'starts'))).map((name) => name.split('.')[0] ?? '');
    return starts.toSorted((a, b) => a.localeCompare(b));
  }

  /** Writes a small file whole, for a process that may read it right now. */
  async put(name: string, content: string): Promise<void> {
    const path = join(this.farm.dir, name);
    await writeFile(`${path}.new`, content);
    await rename(`${path}.new`, path);
  }
}

function config(dir: string, options: LongBuildOptions): string {
  const { bytes = 0, bytesPerSecond = 0, stepOptions = '{}', masterOptions = '', builderOptions = '' } = options;
  return `
import { builder, defineMaster, force, project, sh, step, worker } from 'trunkline';
const start = 'mktemp -q ${dir}/starts/$STEP.XXXXXX >/dev/null';
export default defineMaster({
  title: 'Long', ${masterOptions}
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], ${builderOptions} steps: [
      sh('first', 'STEP=first; ' + start),
      sh('print', 'STEP=print; ' + start + '; exec python3 ${dir}/printer.py ${dir} ${bytes} ${bytesPerSecond}', ${stepOptions}),
      step('code', async (ctx) => {
        const one = await ctx.run('STEP=one; ' + start + '; echo 1', { log: 'one', capture: 10 });
        const { left, right } = await ctx.parallel({
          left: async (own) => (await own.run('STEP=left; ' + start + '; echo 2', { log: 'left', capture: 10 })).output,
          right: async (own) => (await own.run('STEP=right; ' + start + '; echo 3', { log: 'right', capture: 10 })).output,
        });
        await ctx.setProperty('sum', Number(one.output) + Number(left) + Number(right));
      }),
    ] })],
    schedulers: [force()],
  })],
});
`;
}

/**
 * Prints at a pace for as long as no file `go` is there, then at once what is left of the bytes it has to print. How much it
 * has written stands in `printed`, in the end the hash of it in `hash`.
 */
const PRINTER = `
import hashlib, os, sys, time
dir, at_least, pace = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
digest, n, written, begin = hashlib.sha256(), 0, 0, time.monotonic()
printed = os.open(dir + '/printed', os.O_CREAT | os.O_WRONLY)
while True:
    go = os.path.exists(dir + '/go')
    piece = ''.join('line %09d of a log that must not lose a byte\\n' % i for i in range(n, n + 200)).encode()
    n += 200
    sys.stdout.buffer.write(piece); sys.stdout.buffer.flush()
    digest.update(piece); written += len(piece)
    os.pwrite(printed, b'%020d' % written, 0)
    if go and written >= at_least: break
    if not go and pace > 0: time.sleep(max(0, begin + written / pace - time.monotonic()))
with open(dir + '/hash.new', 'w') as file: file.write(digest.hexdigest())
os.rename(dir + '/hash.new', dir + '/hash')
`;
