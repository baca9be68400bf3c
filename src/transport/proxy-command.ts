import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { Readable, Writable } from 'node:stream';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { SshConnectError } from './ssh-connect-error.ts';

/** What it says on stderr goes to the log, up to so many lines of a connection, each up to so many characters. */
const LINES_TOLD = 20;
const LINE_CHARS = 500;
/** After the end of its output, or of itself, so long until the line is given up; after SIGTERM so long until SIGKILL. */
const END_MS = 1_000;
const LOOK_MS = 50;

/** What `%h`, `%p` and `%r` stand for. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

/** Fills `%h`, `%p`, `%r` and `%%` in, as ssh does. Throws an Error that names another. */
export function fillProxyCommand(command: string, { host, port, user }: ProxyTarget): string {
  const filled: Readonly<Record<string, string>> = { h: host, p: String(port), r: user, '%': '%' };
  return command.replaceAll(/%(.?)/gs, (whole, letter: string) => {
    const value = filled[letter];
    if (value === undefined) throw new Error(`"${whole}" stands for nothing: %h, %p, %r and %% do`);
    return value;
  });
}

/**
 * A program whose stdin and stdout are the line: run by /bin/sh in a process group of its own, which is ended with the line.
 * Destroyed with an SshConnectError when the program ends by itself.
 */
export class ProxyStream extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #clock: Clock;
  readonly #stderr: StderrLines;
  #cancelEnd: Cancel | undefined;

  constructor(command: string, options: { readonly clock: Clock; readonly logger: Logger }) {
    super({ allowHalfOpen: false });
    this.#clock = options.clock;
    this.#stderr = new StderrLines(options.logger);
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    // Whoever uses it hears of its end; without a listener the process would end.
    this.on('error', () => undefined);
    child.on('error', (error) => this.#fail(`could not be started: ${error.message}`));
    // Of a program that does not read any more: its end tells more.
    child.stdin.on('error', () => this.#endSoon());
    child.stdout.on('error', () => this.#endSoon());
    child.stdout.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) child.stdout.pause();
    });
    child.stdout.on('end', () => this.#endSoon());
    child.stderr.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.#stderr.take(text));
    child.on('exit', () => this.#endSoon());
    child.on('close', () => this.#over());
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(bytes: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // The answer to a broken pipe is `#endSoon`: why the program ended says more.
    this.#child.stdin.write(bytes, encoding, (error) => {
      if (!error) done();
    });
  }

  override _final(done: () => void): void {
    this.#child.stdin.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#cancelEnd?.();
    const { stdin, stdout, stderr } = this.#child;
    for (const end of [stdin, stdout, stderr]) end.destroy();
    endGroup(this.#child.pid);
    done(error);
  }

  /** What it still has to say comes within moments; what keeps its output open longer is not waited for. */
  #endSoon(): void {
    this.#cancelEnd ??= this.#clock.after(END_MS, () => this.#over());
  }

  #over(): void {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null) this.#fail(`ended with status ${exitCode}`);
    else if (signalCode !== null) this.#fail(`was ended by ${signalCode}`);
    else this.#fail('closed its output');
  }

  #fail(how: string): void {
    if (this.destroyed) return;
    const said = this.#stderr.last();
    this.destroy(new SshConnectError('proxy-failed', `the proxy command ${how}${said === '' ? '' : `: ${said}`}`));
  }
}

/** Lines on their way to the log. */
class StderrLines {
  readonly #logger: Logger;
  #rest = '';
  #last = '';
  #count = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  take(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n/);
    this.#rest = (lines.pop() ?? '').slice(0, LINE_CHARS);
    for (const line of lines) this.#tell(line.slice(0, LINE_CHARS).trim());
  }

  /** What it said last. */
  last(): string {
    return this.#rest.trim() || this.#last;
  }

  #tell(line: string): void {
    if (line === '') return;
    this.#last = line;
    this.#count += 1;
    if (this.#count <= LINES_TOLD) this.#logger.info(`the proxy command says: ${line}`);
    if (this.#count === LINES_TOLD) this.#logger.info('what else the proxy command says is left out');
  }
}

/** Asks the whole group to end, then ends it. The timer keeps this process until it is done. */
function endGroup(leader: number | undefined): void {
  if (leader === undefined || !signalGroup(leader, 'SIGTERM')) return;
  let looksLeft = END_MS / LOOK_MS;
  const timer = setInterval(() => {
    looksLeft -= 1;
    const isThere = signalGroup(leader, looksLeft > 0 ? 0 : 'SIGKILL');
    if (!isThere || looksLeft <= 0) clearInterval(timer);
  }, LOOK_MS);
}

/** False when there is nobody in it, or nobody that is ours. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ESRCH' || errorCode(error) === 'EPERM') return false;
    throw error;
  }
}
