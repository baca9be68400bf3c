import type { Cancel } from '../../../src/base/clock.ts';
import { Signal } from '../../../src/base/signal.ts';
import type { Outcome } from '../../../src/protocol/messages.ts';
import { KiB } from '../../../src/protocol/limits.ts';
import { NOTHING_HELD } from '../../../src/worker/keeper/held-back.ts';
import type { HeldBack } from '../../../src/worker/keeper/held-back.ts';
import type { HeldCommand, Keeper, KeeperSpec } from '../../../src/worker/keeper/keeper.ts';

const SEGMENT = 96 * KiB;
/** What is acknowledged goes in pieces of so much. */
const DROPPED = 16 * KiB;

interface Process {
  readonly spec: KeeperSpec;
  /** All that it is going to print, if it is let. */
  readonly output: Buffer;
  fence: number;
  start: number;
  end: number;
  outcome: Outcome | undefined;
}

/**
 * A keeper whose processes print and end when the test says so: as the real one's they outlive daemons, and start once an id.
 * It takes turns of the event loop over its answers, as `random` draws, and is strict about what it is asked.
 */
export class SimKeeper implements Keeper {
  /** Of all that ever ran, by their command. */
  readonly starts = new Map<string, number>();
  readonly printed = new Map<string, Buffer>();
  readonly #random: () => number;
  readonly #planned: (command: string) => Buffer;
  readonly #processes = new Map<string, Process>();
  readonly #progress = new Signal<string>();

  constructor(random: () => number, planned: (command: string) => Buffer) {
    this.#random = random;
    this.#planned = planned;
  }

  /** The commands that run. */
  running(): readonly string[] {
    return Array.from(this.#processes.values())
      .filter(({ outcome }) => !outcome)
      .map(({ spec }) => spec.command);
  }

  held(): readonly string[] {
    return Array.from(this.#processes.keys());
  }

  print(command: string, bytes: number): void {
    const process = this.#processes.get(command);
    if (!process || process.outcome) return;
    process.end = Math.min(process.output.length, process.end + bytes);
    this.#progress.emit(command);
  }

  /** Prints the rest, and ends. */
  exit(command: string): void {
    this.print(command, Infinity);
    this.#end(command, { status: 'exited', exitCode: 0, startedAtMs: 1, endedAtMs: 2 });
  }

  /** Nothing runs any more, and the last bytes are gone that nobody has; returns those commands. Outcomes were synced. */
  failPower(): readonly string[] {
    const running = this.running();
    for (const command of running) {
      const process = this.#processes.get(command);
      if (!process) continue;
      process.end -= Math.floor((process.end - process.start) * this.#random());
      this.#end(command, { status: 'unknown', message: 'the machine was restarted', startedAtMs: 1, endedAtMs: 2 });
    }
    return running;
  }

  /** Nothing is held any more; returns what was. */
  loseSpool(): readonly string[] {
    const held = this.held();
    this.#processes.clear();
    return held;
  }

  async start(spec: KeeperSpec): Promise<void> {
    await this.#pause();
    const { command, fence } = spec;
    if (this.#processes.has(command)) return;
    this.starts.set(command, (this.starts.get(command) ?? 0) + 1);
    this.#processes.set(command, { spec, output: this.#planned(command), fence, start: 0, end: 0, outcome: undefined });
    await this.#pause();
  }

  async interrupt(command: string): Promise<void> {
    await this.#pause();
    this.#end(command, { status: 'signalled', signal: 'SIGTERM', ended: 'interrupt', startedAtMs: 1, endedAtMs: 2 });
  }

  async forget(command: string): Promise<void> {
    await this.#pause();
    this.#processes.delete(command);
    await this.#pause();
  }

  async list(): Promise<readonly HeldCommand[]> {
    await this.#pause();
    return Array.from(this.#processes.values(), held);
  }

  async find(command: string): Promise<HeldCommand | undefined> {
    await this.#pause();
    const process = this.#processes.get(command);
    return process && held(process);
  }

  folderOf(command: string): string | undefined {
    return this.#processes.get(command)?.spec.folder;
  }

  pidsOf(): readonly number[] {
    return [];
  }

  async setFence(command: string, fence: number): Promise<void> {
    await this.#pause();
    const process = this.#processes.get(command);
    if (process) process.fence = Math.max(process.fence, fence);
  }

  // Leases are about time that passes while nobody looks: real keepers are tested for that, here nothing ends by itself.
  async setLease(): Promise<void> {
    await this.#pause();
  }

  async raiseLeastLease(): Promise<void> {
    await this.#pause();
  }

  async dropLeastLease(): Promise<void> {
    await this.#pause();
  }

  seen(): void {}

  async read(command: string, offset: number, maxBytes: number): Promise<Uint8Array> {
    await this.#pause();
    const process = this.#processes.get(command);
    if (!process) throw new Error(`no command ${command} is held`);
    const { start, end, output } = process;
    if (offset < start) throw new Error(`${offset} of ${command} was dropped: it begins at ${start}`);
    const segmentEnd = (Math.floor(offset / SEGMENT) + 1) * SEGMENT;
    return Uint8Array.from(output.subarray(offset, Math.min(end, segmentEnd, offset + maxBytes)));
  }

  async acknowledge(command: string, offset: number): Promise<void> {
    await this.#pause();
    const process = this.#processes.get(command);
    if (!process) return;
    if (offset > process.end) throw new Error(`${offset} of ${command} is acknowledged, beyond ${process.end}`);
    process.start = Math.max(process.start, Math.floor(offset / DROPPED) * DROPPED);
  }

  onProgress(listener: (command: string) => void): Cancel {
    return this.#progress.on(listener);
  }

  heldBack(): HeldBack {
    return NOTHING_HELD;
  }

  /** It never holds anything back. */
  onHeldBack(): Cancel {
    return () => undefined;
  }

  spoolBytes(): number {
    return Array.from(this.#processes.values()).reduce((sum, { start, end }) => sum + end - start, 0);
  }

  async close(): Promise<void> {}

  #end(command: string, outcome: Outcome): void {
    const process = this.#processes.get(command);
    if (!process || process.outcome) return;
    process.outcome = outcome;
    this.printed.set(command, process.output.subarray(0, process.end));
    this.#progress.emit(command);
  }

  async #pause(): Promise<void> {
    for (let turns = Math.floor(this.#random() * 4); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function held({ spec, fence, start, end, outcome }: Process): HeldCommand {
  const { command, session } = spec;
  const known = { command, session, fence, outputStart: start, outputEnd: end };
  return outcome ? { ...known, state: 'finished', outcome } : { ...known, state: 'running' };
}
