import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm } from '../support/farm.ts';
import { run } from '../support/run.ts';
import type { Ran } from '../support/run.ts';
import { ELSEWHERE } from './site.ts';

/** A call that is not answered by then is given up: the master was killed, or is frozen. */
const CALL_MS = 60_000;
/** Statuses of ssh: the master could not be asked, or its answer was lost. */
export const NOT_ANSWERED: readonly (number | null)[] = [255, null];

/** Where people ask: stock ssh, over one connection as long as there is one, since a key exchange costs more than most calls. */
export class Counter {
  readonly #farm: Farm;
  readonly #socket: string;
  #shared: ChildProcess | undefined;
  #isClosed = false;
  #loop: Promise<void>;

  constructor(farm: Farm) {
    this.#farm = farm;
    this.#socket = join(farm.dir, 'mux');
    this.#loop = this.#keepShared();
  }

  async ask(...words: readonly string[]): Promise<Ran> {
    let cancel = (): void => {};
    const options = {
      onSpawn: (child: ChildProcess) => {
        const timer = setTimeout(() => child.kill('SIGKILL'), CALL_MS);
        cancel = () => clearTimeout(timer);
      },
    };
    const ran = await run(
      'ssh',
      [...this.#options(), '-o', 'ControlMaster=no', ...this.#farm.sshArgs(), ...words],
      options,
    );
    cancel();
    return ran;
  }

  /** The answer's JSON; undefined when the master could not be asked. */
  async json<T>(...words: readonly string[]): Promise<T | undefined> {
    const ran = await this.ask(...words, '--json');
    return ran.status === 0 ? (JSON.parse(ran.text) as T) : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#shared?.kill('SIGKILL');
    await this.#loop;
  }

  #options(): string[] {
    return ['-b', ELSEWHERE, '-S', this.#socket];
  }

  async #keepShared(): Promise<void> {
    while (!this.#isClosed) {
      await rm(this.#socket, { force: true });
      const args = [...this.#options(), '-N', '-o', 'ControlMaster=yes', ...this.#farm.sshArgs()];
      this.#shared = spawn('ssh', args, { stdio: 'ignore' });
      await once(this.#shared, 'exit');
      if (!this.#isClosed) await sleep(300);
    }
  }
}
