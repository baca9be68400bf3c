import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorCode } from '../../src/base/errors.ts';
import type { BuildView } from '../../src/master/views/build.ts';
import type { StatusView } from '../../src/master/views/master.ts';
import { Farm } from './farm.ts';
import type { Daemon } from './farm.ts';
import { countFile } from './kill-switch.ts';
import type { KillOrder } from './kill-switch.ts';
import { until } from './until.ts';

const BUILT = resolve(import.meta.dirname, '../../dist/test/support');
const MASTER = join(BUILT, 'killed-master-main.js');
const AT_SYNC = pathToFileURL(join(BUILT, 'killed-at-sync-main.js')).href;
const NEVER: Omit<KillOrder, 'id'> = { n: 1_000_000_000, phase: 'before' };

export type Victim = 'master' | 'worker' | 'keeper';

/** All that the commands of one build start, each once. */
export const COMMANDS: readonly string[] = ['cat', 'else-3', 'left', 'loop-1', 'loop-2', 'print', 'right'];

/**
 * A real master, worker and keeper that kill themselves where they are told to. Each round forces one build, which notes
 * each start of a command in a file of its own: two files for one command are two starts.
 */
export class KillFarm {
  readonly farm: Farm;
  #master: Daemon | undefined;
  #worker: Daemon | undefined;
  #orders = 0;

  private constructor(farm: Farm) {
    this.farm = farm;
  }

  /** `text` makes the configuration of another farm, whose builder `p/b` is forced with a property `round`. */
  static async create(text: (dir: string) => string = config): Promise<KillFarm> {
    const farm = await Farm.create();
    await mkdir(join(farm.dir, 'starts'));
    await mkdir(join(farm.dir, 'truth'));
    await farm.config(text(farm.dir));
    const kills = new KillFarm(farm);
    await kills.#startMaster();
    await farm.addWorker('w');
    await kills.#startWorker();
    return kills;
  }

  close(): Promise<void> {
    return this.farm.close();
  }

  /** Counts the points of a build in which nobody is killed. */
  async count(victim: Victim): Promise<number> {
    await this.#revive();
    await this.#order(victim, NEVER);
    const build = await this.#force('count');
    if (build?.result !== 'success') throw new Error(`a build without a kill ended badly: ${JSON.stringify(build)}`);
    return await this.#counted(victim);
  }

  /**
   * One build with one kill; its end, and whether the point was reached. Whoever is killed is started again at once, and the
   * master perhaps killed `again` while it starts.
   */
  async round(
    name: string,
    victim: Victim,
    at: Omit<KillOrder, 'id'>,
    again?: Omit<KillOrder, 'id'>,
  ): Promise<{ readonly build: BuildView; readonly isKilled: boolean }> {
    await this.#revive();
    await this.#order(victim, at);
    const over = new AbortController();
    const revival = victim === 'worker' ? this.#reviveWorker(over.signal) : undefined;
    let build = await this.#force(name);
    const isKilled = !(await this.#takeBack(victim));
    // Whoever was killed when the build had ended already is started again, too.
    if (!isKilled) over.abort();
    await revival;
    if (victim === 'master' && isKilled) {
      if (again) await this.#order('master', again);
      await this.#restartMaster();
      build = await this.#end(name);
    }
    if (!build) throw new Error(`round ${name}: no build came of it; the master says: ${this.#master?.stderr()}`);
    await rm(this.#file(victim), { force: true });
    return { build, isKilled };
  }

  /**
   * Says words to the master, which is killed around a commit and started again if it is not over before that; how many commits
   * there were until then. No point: it is not killed.
   */
  async killedUntil(
    words: readonly string[],
    isOver: () => Promise<boolean>,
    at: Omit<KillOrder, 'id'> = NEVER,
  ): Promise<{ readonly isKilled: boolean; readonly commits: number }> {
    await this.#order('master', at);
    await this.farm.ssh(words);
    const isKilled = (): boolean => !existsSync(this.#file('master'));
    await until(`${words.join(' ')} is over`, async () => isKilled() || (await isOver()));
    const commits = await this.#counted('master');
    const wasKilled = isKilled();
    await rm(this.#file('master'), { force: true });
    if (wasKilled) await this.#restartMaster();
    return { isKilled: wasKilled, commits };
  }

  /** The names of the commands that were started in a round, one for each start. */
  async starts(round: string): Promise<readonly string[]> {
    const names = (await readdir(join(this.farm.dir, 'starts'))).map((name) => name.split('.'));
    return names
      .filter(([of]) => of === round)
      .map(([, command]) => command ?? '')
      .sort();
  }

  /** How many builds a round has. */
  async builds(round: string): Promise<number> {
    return (await this.farm.list()).filter((build) => isOf(build, round)).length;
  }

  async storedLog(build: BuildView): Promise<Buffer> {
    return await this.farm.log(build.id, 'print');
  }

  /** What the command wrote into its log. */
  async truth(round: string): Promise<Buffer> {
    return await readFile(join(this.farm.dir, 'truth', round));
  }

  async uploaded(round: string): Promise<string> {
    return await readFile(join(this.farm.masterDir, `up-${round}`), 'utf8');
  }

  #file(victim: Victim): string {
    return join(this.farm.dir, `kill-${victim}`);
  }

  async #order(victim: Victim, at: Omit<KillOrder, 'id'>): Promise<void> {
    const order: KillOrder = { ...at, id: (this.#orders += 1) };
    // Whole at once for a process that looks at it right now.
    await writeFile(`${this.#file(victim)}.new`, JSON.stringify(order));
    await rename(`${this.#file(victim)}.new`, this.#file(victim));
  }

  /** It may be writing its count right now, and the file is empty for a moment. */
  async #counted(victim: Victim): Promise<number> {
    const read = async (): Promise<string> => await readFile(countFile(this.#file(victim)), 'utf8');
    return Number(await until(`${victim} has counted`, read));
  }

  /** False when the order was carried out. */
  async #takeBack(victim: Victim): Promise<boolean> {
    try {
      await unlink(this.#file(victim));
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #startMaster(): Promise<void> {
    this.#master = await this.farm.startMaster({ KILL_MASTER: this.#file('master') }, { program: MASTER });
  }

  async #startWorker(): Promise<void> {
    this.#worker = await this.farm.startWorker('w', {
      NODE_OPTIONS: `--import=${AT_SYNC}`,
      KILL_WORKER: this.#file('worker'),
      KILL_KEEPER: this.#file('keeper'),
    });
  }

  /** One that was killed when its build had ended already. */
  async #revive(): Promise<void> {
    if (isDead(this.#master)) await this.#startMaster();
    if (isDead(this.#worker)) await this.#startWorker();
  }

  async #restartMaster(): Promise<void> {
    await this.#master?.end('SIGKILL');
    try {
      await this.#startMaster();
    } catch (error) {
      // Killed once more, while it started?
      if (existsSync(this.#file('master'))) throw error;
      await this.#startMaster();
    }
  }

  async #reviveWorker(over: AbortSignal): Promise<void> {
    const child = this.#worker?.process;
    if (!child) return;
    if (!isDead(this.#worker)) await Promise.race([once(child, 'exit'), once(over, 'abort')]);
    if (isDead(this.#worker)) await this.#startWorker();
    else if (!over.aborted) throw new Error(`the worker ended by itself: ${this.#worker?.stderr()}`);
  }

  /** Undefined when the master did not live to tell. */
  async #force(round: string): Promise<BuildView | undefined> {
    const words = ['force', 'p/b', '-p', `round=${round}`, '--wait', '--json'];
    const { text } = await this.farm.ssh(words);
    return text === '' ? undefined : (JSON.parse(text) as BuildView);
  }

  /** What a person would do whose call was cut off: look whether there is a build, ask again only if there is none. */
  async #end(round: string): Promise<BuildView> {
    return await until(`the build of round ${round} is finished`, async () => {
      const status = await this.#ask<StatusView>('status');
      if (!status || status.waiting.length > 0 || status.running.length > 0) return undefined;
      const builds = await this.#ask<readonly BuildView[]>('builds');
      if (!builds) return undefined;
      return builds.find((one) => isOf(one, round)) ?? (await this.#force(round));
    });
  }

  /** Undefined when the master was killed once more: then it is started again. */
  async #ask<T>(verb: string): Promise<T | undefined> {
    const { text, stderr } = await this.farm.ssh([verb, '--json']);
    if (text !== '') return JSON.parse(text) as T;
    if (existsSync(this.#file('master')))
      throw new Error(`${verb}: ${stderr}; the master says: ${this.#master?.stderr()}`);
    await this.#restartMaster();
    return undefined;
  }
}

function isDead(daemon: Daemon | undefined): boolean {
  return daemon?.process.signalCode === 'SIGKILL';
}

function isOf(build: BuildView, round: string): boolean {
  return build.properties.some(({ name, value }) => name === 'round' && value === round);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A log of some size, file operations, a loop, a branch on a result, a pair that runs side by side. */
function config(dir: string): string {
  return `
import { builder, defineMaster, force, project, step, worker } from 'trunkline';
const start = (ctx, name) => 'mktemp -q ${dir}/starts/' + ctx.property('round') + '.' + name + '.XXXXXX >/dev/null; ';
export default defineMaster({
  title: 'Kills',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [builder('b', { workers: ['w'], steps: [
      step('print', async (ctx) => {
        const truth = '${dir}/truth/' + ctx.property('round');
        const { summary, ok } = await ctx.run(start(ctx, 'print') + 'for i in 1 2 3; do seq -f "$i line %09g" 1 4000; done | tee ' + truth);
        if (!ok) ctx.fail(summary);
      }),
      step('files', async (ctx) => {
        await ctx.remove('made');
        await ctx.mkdir('made/here');
        await ctx.download({ text: 'of round ' + ctx.property('round') }, 'made/here/text');
        const { output } = await ctx.run(start(ctx, 'cat') + 'cat made/here/text', { capture: 100 });
        await ctx.upload('made/here/text', 'up-' + ctx.property('round'));
        if (output !== 'of round ' + ctx.property('round')) ctx.fail('wrong text: ' + output);
      }),
      step('code', async (ctx) => {
        await ctx.setProperty('seen', [await ctx.now(), await ctx.random()]);
        await ctx.once('effect', () => 1, { idempotent: true });
        let sum = 0;
        for (let i = 1; i < 3; i++) {
          const ran = await ctx.run(start(ctx, 'loop-' + i) + 'echo ' + i, { capture: 10, log: 'loop-' + i });
          sum += Number(ran.output);
        }
        const word = sum === 3 ? 'else' : 'then';
        const third = await ctx.run(start(ctx, word + '-' + sum) + 'exit 3', { log: 'branch' });
        const { left, right } = await ctx.parallel({
          left: async (own) => (await own.run(start(own, 'left') + 'echo 10', { log: 'left', capture: 10 })).output,
          right: async (own) => (await own.run(start(own, 'right') + 'echo 20', { log: 'right', capture: 10 })).output,
        });
        await ctx.setProperty('sum', sum + (third.exitCode ?? 0) + Number(left) + Number(right));
      }),
    ] })],
    schedulers: [force()],
  })],
});
`;
}
