import { ErrorLog } from '../../support/error-log.ts';
import { Chance } from './chance.ts';
import { Stage } from './stage.ts';
import { wrongContent, wrongEnd } from './verdict.ts';

/** Only a hang reaches it. */
const BOUND_MS = 100_000;

const MAX_STORY = 500;

/** What befalls a stage, all drawn from one seed. */
export class Schedule {
  /** What was done, for whoever has to understand a failure. */
  readonly story: string[] = [];
  readonly #chance: Chance;
  readonly #errors = new ErrorLog((line) => this.#tell(`  log: ${line}`));
  readonly #stage: Promise<Stage>;

  private constructor(seed: number) {
    this.#chance = new Chance(seed);
    this.#stage = Stage.open(seed, this.#chance, this.#errors, (line) => this.#tell(line));
  }

  /** Runs it; resolves to what is wrong at the end. */
  static async run(seed: number): Promise<{ readonly wrong: readonly string[]; readonly story: readonly string[] }> {
    const schedule = new Schedule(seed);
    const stage = await schedule.#stage;
    try {
      const wrong = await schedule.#run(stage);
      return { wrong, story: schedule.story };
    } catch (error) {
      return { wrong: [String(error), ...schedule.#wrong(stage)], story: schedule.story };
    } finally {
      await stage.close();
    }
  }

  async #run(stage: Stage): Promise<readonly string[]> {
    const events = 5 + this.#chance.below(30);
    for (let n = 0; n < events; n++) {
      await this.#befall(stage);
      await this.#pass();
    }
    await this.#calmDown(stage);
    const contents: string[] = [];
    for (const task of stage.tasks.values()) contents.push(...(await wrongContent(task, stage.store, stage.keeper)));
    return [...this.#wrong(stage), ...contents];
  }

  /** One thing out of all that may happen: each as often as its number says. */
  async #befall(stage: Stage): Promise<void> {
    const chance = this.#chance;
    const { keeper, temp } = stage;
    const line = Array.from(stage.lines).at(-1);
    const command = chance.draw(Array.from(stage.tasks.keys())) ?? '';
    const running = chance.draw(keeper.running());
    const side = chance.happens(0.5) ? 'worker' : 'master';
    const ms = chance.draw([10, 500, 5_500, 16_000, 50_000, 61_000]) ?? 0;
    const isKind = chance.happens(0.5);
    const events: readonly (readonly [number, string, () => void | Promise<void>])[] = [
      [30, 'all that run print', () => this.#printAll(stage)],
      [15, `${running} exits`, () => keeper.exit(running ?? '')],
      [10, 'the line is cut', () => line?.cut()],
      [7, 'the worker loses sight of its line, the master does not', () => line?.loseSight('worker')],
      [4, 'the master loses sight of a line, the worker does not', () => line?.loseSight('master')],
      [8, `the line of the ${side} stalls`, () => line?.stall(side)],
      [6, 'the line flows', () => flow(line)],
      [7, `${ms} ms pass`, () => temp.clock.advance(ms)],
      [5, 'the worker is started again', () => stage.restartWorker()],
      [5, `the master is ${isKind ? 'stopped' : 'killed'} and started again`, () => stage.restartMaster(isKind)],
      [3, `${command} is interrupted`, () => stage.interrupt(command)],
      [2, `${command} is given up`, () => stage.giveUp(command)],
      [1, "the worker's machine loses power", () => stage.failPower()],
      [1, "the worker's spool is lost", () => stage.loseSpool()],
      [1, 'the database is copied, or put back', () => stage.backUp()],
    ];
    let drawn = chance.next() * events.reduce((sum, [share]) => sum + share, 0);
    const event = events.find(([share]) => (drawn -= share) < 0);
    this.#tell(event?.[1] ?? '');
    await event?.[2]();
  }

  #printAll({ keeper }: Stage): void {
    for (const one of keeper.running()) keeper.print(one, Math.floor(300_000 ** this.#chance.next()));
  }

  /** Lets what is under way go on for a while. */
  async #pass(): Promise<void> {
    for (let turns = this.#chance.below(30); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    // The disk's work takes its own time.
    for (let waits = this.#chance.below(4); waits > 0; waits--) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Nothing more befalls them; all comes to its end. */
  async #calmDown(stage: Stage): Promise<void> {
    this.#tell('calm');
    stage.isCalm = true;
    // Whoever waits for a line that died without a word finds out; or it goes on, late.
    if (this.#chance.happens(0.7)) stage.temp.clock.advance(61_000);
    for (const line of stage.lines) {
      line.cutAfter('worker', Infinity);
      line.cutAfter('master', Infinity);
      flow(line);
    }
    let isDone = false;
    void stage.builds.then(() => (isDone = true));
    const end = performance.now() + BOUND_MS;
    for (;;) {
      for (const command of stage.keeper.running()) stage.keeper.exit(command);
      if (isDone && (await stage.isWorkerEmpty())) return;
      if (performance.now() > end) throw new Error('it does not come to an end');
      // Slowly, so that nothing that has to be done by a time is late for the want of a processor.
      stage.temp.clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  #wrong({ tasks, keeper }: Stage): readonly string[] {
    const ends = Array.from(tasks, ([command, task]) => wrongEnd(task, keeper.starts.get(command) ?? 0));
    return [...this.#errors.errors, ...ends.flat()];
  }

  #tell(line: string): void {
    if (this.story.at(-1) !== line && this.story.length < MAX_STORY) this.story.push(line);
  }
}

function flow(line: { flow(side: 'worker' | 'master'): void } | undefined): void {
  line?.flow('worker');
  line?.flow('master');
}
