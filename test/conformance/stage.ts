import type { CommandSpec, Fields, Outcome } from '../../src/protocol/messages.ts';
import { Breach, equal } from './breach.ts';
import type { Line } from './line.ts';
import type { Logs } from './logs.ts';
import { Patience, aLook } from './patience.ts';
import { isAlive } from './program.ts';
import type { Program } from './program.ts';
import { NAME } from './site.ts';
import type { Inventory, Site } from './site.ts';

type Verdict = Fields<'inventory.answer'>['commands'][number];

/** What the answer to an inventory says of a command. */
export type Judge = (state: Inventory['commands'][number]) => Partial<Verdict>;

/** What one case has: a site, and what it has ordered there. */
export class Stage {
  readonly name = NAME;
  readonly dir: string;
  readonly logs: Logs;
  readonly program: Program;
  readonly #site: Site;
  /** Commands that the case started and did not forget. */
  readonly #orders = new Set<string>();

  constructor(site: Site) {
    this.dir = site.dir;
    this.logs = site.logs;
    this.program = site.program;
    this.#site = site;
  }

  /** kill -9, and a new start. */
  async restart(): Promise<void> {
    await this.program.kill();
    await this.program.start();
  }

  /** The next connection, when its hello has come. */
  connection(): Promise<Line> {
    return this.#site.connection();
  }

  inventory(line: Line): Promise<Inventory> {
    return this.#site.inventory(line);
  }

  /** The same, welcomed, its inventory answered. By default what the case started goes on from where its log ends. */
  async attach(judge: Judge = () => ({}), welcome: Partial<Fields<'welcome'>> = {}): Promise<Attached> {
    const line = await this.connection();
    line.welcome(welcome);
    const inventory = await this.inventory(line);
    this.answer(line, inventory, judge);
    return { line, inventory };
  }

  answer(line: Line, { sessions, commands }: Inventory, judge: Judge = () => ({})): void {
    const verdicts = commands.map((state): Verdict => {
      const { command, fence } = state;
      if (!this.#orders.has(command)) return { command, verdict: 'forget' };
      return { command, verdict: 'continue', fence, from: this.logs.of(command).end, ...judge(state) };
    });
    const kept = sessions.map(({ session }) => ({ session, verdict: 'keep' as const }));
    // Pages as a master sends them.
    for (let at = 0; at === 0 || at < verdicts.length; at += 100) {
      line.send('inventory.answer', '', {
        sessions: at === 0 ? kept : [],
        commands: verdicts.slice(at, at + 100),
        last: at + 100 >= verdicts.length,
      });
    }
  }

  start(line: Line, session: string, command: string, what: string | CommandSpec, more: More = {}): void {
    this.#orders.add(command);
    const spec: CommandSpec = typeof what === 'string' ? { kind: 'run', shell: what } : what;
    line.send('command.start', session, { command, fence: 1, spec, ...more });
  }

  /** Started, ended, and all output here. */
  async run(line: Line, session: string, command: string, what: string | CommandSpec, more: More = {}): Promise<Ran> {
    this.start(line, session, command, what, more);
    await line.expect('command.started', session, { command });
    return await this.end(line, session, command);
  }

  async end(line: Line, session: string, command: string): Promise<Ran> {
    const { outcome, outputEnd, fence } = await line.expect('command.finished', session, { command });
    await line.until(
      `output of ${command} up to ${outputEnd}, its outputEnd (it ends at ${this.logs.of(command).end})`,
      () => this.logs.of(command).end >= outputEnd,
    );
    return { outcome, outputEnd, fence, bytes: this.logs.bytes(command), text: this.logs.bytes(command).toString() };
  }

  /** Waits until the master has so many bytes of output. */
  async ended(line: Line, command: string, bytes: number): Promise<void> {
    await line.until(`${bytes} bytes of output of ${command}`, () => this.logs.of(command).end === bytes);
  }

  /** The number that a command has printed first: the process's own. */
  async pid(line: Line, command: string): Promise<number> {
    const printed = (): string | undefined => /^(\d+)\n/.exec(this.logs.bytes(command).toString())?.[1];
    return Number(await line.until(`the pid that ${command} prints`, printed));
  }

  /** Waits until the worker holds nothing any more: what was ended may have to be found dead first. */
  async holdsNothing(): Promise<void> {
    // All that is still there is to be forgotten.
    this.#orders.clear();
    const patience = new Patience(this.#site.patienceMs);
    for (;;) {
      const { line, inventory } = await this.attach();
      if (inventory.commands.length === 0) return;
      if (patience.isOver()) equal(inventory.commands, [], 'an inventory without commands:');
      line.cut();
    }
  }

  /** Waits until the process is gone. */
  async ends(pid: number): Promise<void> {
    await this.until(`the end of the command's process ${pid}`, () => !isAlive(pid));
  }

  /** For what no frame tells of. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const patience = new Patience(this.#site.patienceMs);
    while (!isSo()) {
      if (patience.isOver()) throw new Breach(`expected ${what}, in vain for ${this.#site.patienceMs / 1_000} s`);
      await aLook();
    }
  }

  /** What the case starts by itself. */
  expects(command: string): void {
    this.#orders.add(command);
  }

  forget(line: Line, session: string, command: string): void {
    this.#orders.delete(command);
    line.send('command.forget', session, { command });
  }
}

export interface Attached {
  readonly line: Line;
  readonly inventory: Inventory;
}

export interface Ran {
  readonly outcome: Outcome;
  readonly outputEnd: number;
  readonly fence: number;
  readonly bytes: Buffer;
  readonly text: string;
}

type More = Partial<Pick<Fields<'command.start'>, 'fence' | 'logMaxBytes' | 'leaseMs'>>;
