import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm, PROGRAM } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

const EXAMPLE = resolve(PROGRAM, '../../docs/examples/desktop-200');
/** As the example names them. */
const WORKERS: readonly string[] = ['build-1', 'build-2', 'build-3', 'build-4'];

export interface Module {
  readonly name: string;
  readonly role: string;
  readonly dependsOn: readonly string[];
}

interface Made {
  readonly repositories: string;
  readonly modules: readonly Module[];
}

/** The first modules of the example `desktop-200` on real processes: made by its own script, configured by its own file. */
export class Desktop {
  readonly farm: Farm;
  readonly modules: readonly Module[];
  #master: Daemon;
  readonly workers: readonly { readonly name: string; readonly daemon: Daemon }[];
  readonly #repositories: string;

  private constructor(farm: Farm, { repositories, modules }: Made, master: Daemon, workers: Desktop['workers']) {
    this.farm = farm;
    this.#repositories = repositories;
    this.modules = modules;
    this.#master = master;
    this.workers = workers;
  }

  /** Makes repositories, configuration and keys, and starts the master and four workers. */
  static async open(count: number): Promise<Desktop> {
    const farm = await Farm.create();
    await runOk(process.execPath, [join(EXAMPLE, 'make-repositories.mjs'), String(count), farm.dir]);
    const list = join(farm.dir, 'modules.json');
    const made = JSON.parse(await readFile(list, 'utf8')) as Made;
    await cp(list, join(farm.masterDir, 'modules.json'));
    await cp(join(EXAMPLE, 'trunkline.config.ts'), join(farm.masterDir, 'trunkline.config.ts'));
    const master = await farm.startMaster();
    const workers: { name: string; daemon: Daemon }[] = [];
    for (const name of WORKERS) {
      await farm.addWorker(name);
      workers.push({ name, daemon: await farm.startWorker(name) });
    }
    return new Desktop(farm, made, master, workers);
  }

  get master(): Daemon {
    return this.#master;
  }

  async killMaster(): Promise<void> {
    await this.#master.end('SIGKILL');
    this.#master = await this.farm.startMaster();
  }

  /** Has all of it built; a slow test takes so many seconds. Resolves to the build that waits for all others. */
  async force(secondsOfSlow: number): Promise<BuildView> {
    await this.farm.ssh(['force', 'desktop/world', '-p', `seconds=${secondsOfSlow}`]);
    return await until('the world is being built', () => this.newest('desktop'));
  }

  async newest(project: string): Promise<BuildView | undefined> {
    const ran = await this.farm.ssh(['builds', project, '-n', '1', '--json']);
    return (JSON.parse(ran.text) as BuildView[])[0];
  }

  /** Changes a file of a module by a commit on its branch, as a person does from a clone. */
  async commit(module: string, file: string, change: (text: string) => string, message: string): Promise<void> {
    const clone = join(this.farm.dir, 'clones', module);
    await mkdir(join(this.farm.dir, 'clones'), { recursive: true });
    await runOk('git', ['clone', '-q', join(this.#repositories, `${module}.git`), clone]);
    const text = await readFile(join(clone, file), 'utf8');
    const changed = change(text);
    if (changed === text) throw new Error(`nothing of ${file} of ${module} was changed`);
    const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
    await writeFile(join(clone, file), changed);
    await runOk('git', ['-C', clone, ...who, 'commit', '-q', '-a', '-m', message]);
    await runOk('git', ['-C', clone, 'push', '-q', 'origin', 'HEAD:main']);
  }
}
