import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import type { CommandSpec, Fields, Outcome } from '../../src/protocol/messages.ts';
import { fingerprint, makeKeyPair } from '../../src/transport/keys.ts';
import type { SshPrivateKey } from '../../src/transport/keys.ts';
import { listenSsh } from '../../src/transport/ssh-server.ts';
import type { SshServer } from '../../src/transport/ssh-server.ts';
import { Breach, equal } from './breach.ts';
import { Line } from './line.ts';
import { Logs } from './logs.ts';
import { Program, endProcessesBelow, isAlive } from './program.ts';

const NAME = 'conformer';
const HOST = '127.0.0.1';
/** A program has to begin, to log in, and to wait for its turn after a line that was lost. */
const CONNECT_MS = 20_000;

export interface StageOptions {
  /** The worker program; `{dir}`, `{host}`, `{port}`, `{name}` … are replaced. */
  readonly command: readonly string[];
  /** So long an answer is waited for. */
  readonly patienceMs: number;
}

interface Parts extends Pick<Stage, 'dir' | 'logs' | 'program'> {
  readonly server: SshServer;
  /** Connections that came and were not asked for yet. */
  readonly lines: Line[];
}

type Inventory = Omit<Fields<'inventory'>, 'last'>;
type Verdict = Fields<'inventory.answer'>['commands'][number];

/** What the answer to an inventory says of a command. */
export type Judge = (state: Inventory['commands'][number]) => Partial<Verdict>;

/** What one case has: a server that lets one worker in, its folder, the worker program. */
export class Stage {
  readonly name = NAME;
  readonly dir: string;
  readonly logs: Logs;
  readonly program: Program;
  readonly #server: SshServer;
  readonly #lines: Line[];
  readonly #options: StageOptions;
  /** Commands that the case started and did not forget. */
  readonly #orders = new Set<string>();

  private constructor(parts: Parts, options: StageOptions) {
    this.dir = parts.dir;
    this.logs = parts.logs;
    this.program = parts.program;
    this.#server = parts.server;
    this.#lines = parts.lines;
    this.#options = options;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), 'tl-c-'));
    const [host, key] = [makeKeyPair('host'), makeKeyPair(NAME)];
    const lines: Line[] = [];
    let gone: () => string | undefined = () => undefined;
    const logs = new Logs();
    const server = await listenSsh({
      host: HOST,
      port: 0,
      hostKeys: [host.privateKey],
      clock: systemClock,
      logger: silentLogger,
      authenticate: (name, { blob }) =>
        name === NAME && blob === key.publicKey.blob
          ? { name, role: 'worker', blob }
          : { refused: `no such key for ${name}` },
      onWorker: (_principal, carrier) =>
        lines.push(
          new Line(carrier, {
            logs,
            patienceMs: options.patienceMs,
            whyGone: () => gone(),
          }),
        ),
      onPerson: (_principal, call) => call.exit(1),
    });
    const values = await writeFolder(dir, server.port, host, key);
    const words = options.command.map((word) =>
      word.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name.toLowerCase()] ?? whole),
    );
    const env = Object.entries(values).map(([name, value]) => [`TRUNKLINE_${name.toUpperCase()}`, value] as const);
    const program = new Program(words, { ...definedOf(process.env), ...Object.fromEntries(env) });
    gone = () => program.whyGone;
    const stage = new Stage({ dir, server, lines, logs, program }, options);
    try {
      await program.start();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async close(): Promise<void> {
    await this.program.kill();
    await this.#server.close();
    endProcessesBelow(this.dir);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** kill -9, and a new start. */
  async restart(): Promise<void> {
    await this.program.kill();
    await this.program.start();
  }

  /** The next connection, when its hello has come. */
  async connection(): Promise<Line> {
    const patienceMs = Math.max(CONNECT_MS, this.#options.patienceMs);
    const end = performance.now() + patienceMs;
    for (;;) {
      const line = this.#lines.shift();
      if (line) {
        this.logs.begin();
        await line.until('a hello', () => line.isGreeted);
        return line;
      }
      const gone = this.program.whyGone;
      if (gone !== undefined || performance.now() > end) {
        throw new Breach(
          `expected a connection of the worker, but ${gone ?? `none came within ${patienceMs / 1_000} s`}; it said "${this.program.lastWords}"`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The same, welcomed, its inventory answered. By default what the case started goes on from where its log ends. */
  async attach(judge: Judge = () => ({}), welcome: Partial<Fields<'welcome'>> = {}): Promise<Attached> {
    const line = await this.connection();
    line.welcome(welcome);
    const inventory = await this.inventory(line);
    this.answer(line, inventory, judge);
    return { line, inventory };
  }

  async inventory(line: Line): Promise<Inventory> {
    const whole = { sessions: [] as Inventory['sessions'][number][], commands: [] as Inventory['commands'][number][] };
    for (;;) {
      const page = await line.expect('inventory');
      whole.sessions.push(...page.sessions);
      whole.commands.push(...page.commands);
      if (page.last) return whole;
    }
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
    const end = performance.now() + this.#options.patienceMs;
    for (;;) {
      const { line, inventory } = await this.attach();
      if (inventory.commands.length === 0) return;
      if (performance.now() > end) equal(inventory.commands, [], 'an inventory without commands:');
      line.cut();
    }
  }

  /** Waits until the process is gone. */
  async ends(pid: number): Promise<void> {
    await this.until(`the end of the command's process ${pid}`, () => !isAlive(pid));
  }

  /** For what no frame tells of. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const end = performance.now() + this.#options.patienceMs;
    while (!isSo()) {
      if (performance.now() > end)
        throw new Breach(`expected ${what}, in vain for ${this.#options.patienceMs / 1_000} s`);
      await new Promise((resolve) => setTimeout(resolve, 20));
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

/** What a worker needs to log in, in the forms that programs like: files, words, and `worker.json` for ours. */
async function writeFolder(
  dir: string,
  port: number,
  host: SshPrivateKey,
  key: SshPrivateKey,
): Promise<Record<string, string>> {
  const hostKey = fingerprint(host.publicKey);
  const values = {
    dir,
    host: HOST,
    port: String(port),
    name: NAME,
    key: join(dir, 'key'),
    known_hosts: join(dir, 'known_hosts'),
    host_key: host.publicKeyLine,
    host_fingerprint: hostKey,
  };
  await writeFile(values.key, key.privateKey, { mode: 0o600 });
  await writeFile(`${values.key}.pub`, `${key.publicKeyLine}\n`);
  await writeFile(values.known_hosts, `[${HOST}]:${port} ${host.publicKeyLine}\n`);
  const config = { name: NAME, installId: 'conformance', masters: [`${HOST}:${port}`], hostKeys: [hostKey] };
  await writeFile(join(dir, 'worker.json'), JSON.stringify(config));
  await mkdir(join(dir, 'work'));
  return values;
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
