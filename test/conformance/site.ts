import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { LIMITS } from '../../src/protocol/limits.ts';
import type { Fields } from '../../src/protocol/messages.ts';
import type { Carrier } from '../../src/transport/carrier.ts';
import { fingerprint, makeKeyPair } from '../../src/transport/keys.ts';
import type { SshPrivateKey } from '../../src/transport/keys.ts';
import { listenSsh } from '../../src/transport/ssh-server.ts';
import type { SshServer } from '../../src/transport/ssh-server.ts';
import { Breach } from './breach.ts';
import { Line } from './line.ts';
import { Logs } from './logs.ts';
import { Patience, aLook } from './patience.ts';
import { Program, endProcessesBelow } from './program.ts';

export const NAME = 'conformer';
const HOST = '127.0.0.1';
/** A program has to begin, to log in, and to wait for its turn after a line that was lost. */
const CONNECT_MS = 20_000;
/** What is not tidy by then is not worth waiting for: a new start of the program takes less. */
const TIDY_MS = 3_000;

export interface SiteOptions {
  /** The worker program; `{dir}`, `{host}`, `{port}`, `{name}` … are replaced. */
  readonly command: readonly string[];
  /** So long an answer is waited for. */
  readonly patienceMs: number;
}

export type Inventory = Omit<Fields<'inventory'>, 'last'>;

/** A server that lets one worker in, its folder, and the worker program. It serves one case after another, while all goes well. */
export class Site {
  readonly dir: string;
  readonly program: Program;
  readonly patienceMs: number;
  readonly #server: SshServer;
  /** Connections that came and were not asked for yet. */
  #lines: Line[] = [];
  #last: Line | undefined;
  /** Of the present case. */
  logs = new Logs();

  private constructor(dir: string, server: SshServer, program: Program, patienceMs: number) {
    this.dir = dir;
    this.#server = server;
    this.program = program;
    this.patienceMs = patienceMs;
  }

  static async open({ command, patienceMs }: SiteOptions): Promise<Site> {
    const dir = await mkdtemp(join(tmpdir(), 'tl-c-'));
    const [host, key] = [makeKeyPair('host'), makeKeyPair(NAME)];
    let adopt: (carrier: Carrier) => void = (carrier) => carrier.destroy('nothing was started yet');
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
      onWorker: (_principal, carrier) => adopt(carrier),
      onPerson: (_principal, call) => call.exit(1),
    });
    const values = await writeFolder(dir, server.port, host, key);
    const words = command.map((word) =>
      word.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name.toLowerCase()] ?? whole),
    );
    const env = Object.entries(values).map(([name, value]) => [`TRUNKLINE_${name.toUpperCase()}`, value] as const);
    const program = new Program(words, { ...definedOf(process.env), ...Object.fromEntries(env) });
    const site = new Site(dir, server, program, patienceMs);
    adopt = (carrier) => site.#adopt(carrier);
    try {
      await program.start();
    } catch (error) {
      await site.close();
      throw error;
    }
    return site;
  }

  #adopt(carrier: Carrier): void {
    const { logs, patienceMs, program } = this;
    this.#lines.push(new Line(carrier, { logs, patienceMs, whyGone: () => program.whyGone }));
  }

  async close(): Promise<void> {
    await this.program.kill();
    await this.#server.close();
    endProcessesBelow(this.dir);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** The next connection, when its hello has come. */
  async connection(): Promise<Line> {
    const patience = new Patience(Math.max(CONNECT_MS, this.patienceMs));
    for (;;) {
      const line = this.#lines.shift();
      // One that was lost before it was asked for is nothing to a case.
      if (line?.isOver) continue;
      if (line) {
        this.#last = line;
        this.logs.begin();
        await line.until('a hello', () => line.isGreeted);
        return line;
      }
      const gone = this.program.whyGone;
      if (gone !== undefined || patience.isOver()) {
        throw new Breach(
          `expected a connection of the worker, but ${gone ?? 'none came in time'}; it said "${this.program.lastWords}"`,
        );
      }
      await aLook();
    }
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

  /** Makes all as it was before the first case. False when that does not succeed soon: then another site is needed. */
  async tidy(): Promise<boolean> {
    try {
      if (this.program.whyGone !== undefined) return false;
      const patience = new Patience(TIDY_MS);
      for (;;) {
        this.#leave();
        const line = await this.connection();
        line.welcome();
        const { sessions, commands } = await this.inventory(line);
        if (sessions.length + commands.length === 0) break;
        if (patience.isOver()) return false;
        line.send('inventory.answer', '', {
          sessions: sessions
            .slice(0, LIMITS.inventoryItemsPerFrame)
            .map(({ session }) => ({ session, verdict: 'forget' as const })),
          commands: commands
            .slice(0, LIMITS.inventoryItemsPerFrame)
            .map(({ command }) => ({ command, verdict: 'forget' as const })),
          last: true,
        });
        await aLook();
      }
      await rm(join(this.dir, 'work'), { recursive: true, force: true });
      await mkdir(join(this.dir, 'work'));
      this.logs = new Logs();
      this.#leave();
      return true;
    } catch (error) {
      if (error instanceof Breach) return false;
      throw error;
    }
  }

  /** The worker is to come back at once. */
  #leave(): void {
    if (this.#last && !this.#last.isOver) this.#last.goodbye('drain', 0);
    this.#last = undefined;
  }
}

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
