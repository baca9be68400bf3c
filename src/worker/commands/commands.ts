import { mkdir, rm } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { CommandSpec, CommandState, Outcome } from '../../protocol/messages.ts';
import type { FileRecord, FileRecords } from '../files/file-record.ts';
import { FileWork } from '../files/file-work.ts';
import type { MadeLists } from '../files/made-list.ts';
import { TransferCut } from '../files/transfer-line.ts';
import type { TransferLine } from '../files/transfer-line.ts';
import { partPath } from '../files/part-file.ts';
import { PathRefused, insideFolder } from '../inside-folder.ts';
import { faultOf } from '../keeper/machine-fault.ts';
import type { HeldCommand, Keeper, KeeperSpec } from '../keeper/keeper.ts';
import type { HeldSession, SessionBook } from '../session-book.ts';

const DEFAULT_KILL_AFTER_MS = 10_000;
const MAX_MESSAGE = 1_000;

/** What a process is held to beside its specification. */
type Bounds = Pick<KeeperSpec, 'leaseMs' | 'logMaxBytes' | 'masks'>;

export interface CommandsOptions {
  readonly keeper: Keeper;
  readonly records: FileRecords;
  readonly lists: MadeLists;
  readonly sessions: SessionBook;
  readonly workDir: string;
  readonly clock: Clock;
  /** The whole environment of a command whose step adds this. */
  readonly environment: (step: Readonly<Record<string, string>> | undefined) => Readonly<Record<string, string>>;
}

/**
 * All commands of a worker, whoever carries them out: processes are the keeper's, file operations the daemon's own. An id is
 * started at most once; what was started is known until it is forgotten, whatever dies meanwhile.
 */
export class Commands {
  readonly #options: CommandsOptions;
  readonly #files: FileWork;
  /** Processes and transfers that are on their way to the disk. */
  readonly #starting = new Set<Promise<void>>();

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#files = new FileWork(options);
  }

  /** Waits for what is being started: a master that is not told of a command takes it for one that never was. */
  async list(): Promise<readonly CommandState[]> {
    // Whoever started it hears of a failure.
    await Promise.allSettled(this.#starting);
    return [...(await this.#options.keeper.list()).map(stateOfHeld), ...this.#options.records.list().map(stateOf)];
  }

  async find(command: string): Promise<CommandState | undefined> {
    const record = this.#options.records.get(command);
    if (record) return stateOf(record);
    const held = await this.#options.keeper.find(command);
    return held && stateOfHeld(held);
  }

  /** True for work on files that has not ended: it goes on while there is a line to the master. */
  needsTransfer(command: string): boolean {
    const record = this.#options.records.get(command);
    return record !== undefined && record.outcome === undefined;
  }

  /** True for a command whose output and end the keeper tells. */
  isKept(command: string): boolean {
    return this.#options.records.get(command) === undefined;
  }

  /**
   * Starts a command that `find` does not know. Resolves when it runs, ended at once, or waits for its transfer: in each case it
   * is on disk. Rejects when that could not be done; `find` then tells whether it was started.
   */
  async start(command: string, held: HeldSession, spec: CommandSpec, bounds: Bounds = {}): Promise<void> {
    const starting = this.#start(command, held, spec, bounds);
    // Not for these, which may take long and can be done twice.
    if (isQuick(spec)) return await starting;
    this.#starting.add(starting);
    try {
      await starting;
    } finally {
      this.#starting.delete(starting);
    }
  }

  /** Carries work on files out over a line; ends with its outcome on disk, or with the line's cut. */
  async transfer(command: string, line: TransferLine): Promise<void> {
    const { records } = this.#options;
    const record = records.get(command);
    if (!record || record.outcome) return;
    try {
      await records.finish(command, this.#done(record, await this.#files.run(record, line)));
    } catch (error) {
      if (error instanceof TransferCut) return;
      await records.finish(command, { ...this.#refused(record, errorText(error)), ...faultOf(error) });
    }
  }

  /** Ends a command; one whose transfer runs is ended by its line. */
  async interrupt(command: string, reason: string): Promise<void> {
    const { records, keeper } = this.#options;
    const record = records.get(command);
    if (!record) return await keeper.interrupt(command, reason);
    await records.finish(command, { ...this.#refused(record, reason), ended: 'interrupt' });
  }

  async forget(command: string): Promise<void> {
    const { records, keeper } = this.#options;
    const record = records.get(command);
    if (!record) return await keeper.forget(command);
    // One that was interrupted while no line served it has an outcome, and a part too.
    if (record.outcome?.status !== 'done') await this.#dropPart(record);
    if (record.spec.kind === 'glob') await this.#options.lists.remove(command);
    await records.remove(command);
  }

  async setFence(command: string, fence: number): Promise<void> {
    const { records, keeper } = this.#options;
    const record = records.get(command);
    if (!record) await keeper.setFence(command, fence);
    else if (fence > record.fence) await records.put({ ...record, fence });
  }

  /** undefined: none any more. File operations have none: without the master they do nothing for long. */
  async setLease(command: string, leaseMs: number | undefined): Promise<void> {
    const { records, keeper } = this.#options;
    if (!records.get(command)) await keeper.setLease(command, leaseMs);
  }

  async #start(command: string, held: HeldSession, spec: CommandSpec, bounds: Bounds): Promise<void> {
    const { records, keeper, clock } = this.#options;
    const { session, fence } = held;
    const record = { command, session, fence, spec: whatToKeep(spec), startedAtMs: clock.now() };
    if (spec.kind !== 'run' && !isQuick(spec)) return await records.put(record);
    let process: KeeperSpec | undefined;
    try {
      if (spec.kind === 'run') process = await this.#process(command, held, spec);
      // Done again when a crash comes before the outcome is on disk: both can be.
      else await this.#changeFolder(session, spec);
    } catch (error) {
      return await records.put({
        ...record,
        outcome: { ...this.#refused(record, errorText(error)), ...faultOf(error) },
      });
    }
    if (process) await keeper.start({ ...process, ...bounds });
    else await records.put({ ...record, outcome: this.#done(record) });
  }

  async #process(command: string, held: HeldSession, spec: CommandSpec): Promise<KeeperSpec> {
    const argv = spec.argv ?? (spec.shell === undefined ? [] : ['/bin/sh', '-c', spec.shell]);
    if (argv.length === 0) throw new PathRefused('nothing to run: the command has neither argv nor shell');
    const folder = await this.#files.folder(held.session);
    return {
      command,
      session: held.session,
      fence: held.fence,
      argv,
      folder,
      cwd: spec.cwd === undefined ? folder : await insideFolder(folder, spec.cwd),
      env: this.#options.environment(spec.env),
      killAfterMs: spec.killAfterMs ?? DEFAULT_KILL_AFTER_MS,
      ...(spec.stdin && { stdin: spec.stdin }),
      ...(spec.silenceMs !== undefined && { silenceMs: spec.silenceMs }),
      ...(spec.totalMs !== undefined && { totalMs: spec.totalMs }),
    };
  }

  async #changeFolder(session: string, spec: CommandSpec): Promise<void> {
    const folder = await this.#files.folder(session);
    const place = await insideFolder(folder, spec.path ?? '', { keepLink: spec.kind === 'remove' });
    if (spec.kind === 'mkdir') await mkdir(place, { recursive: true });
    else if (place === folder) throw new PathRefused("the session's own folder is not removed: name what is in it");
    else await rm(place, { recursive: true, force: true, maxRetries: 3 });
  }

  async #dropPart({ command, session, spec }: FileRecord): Promise<void> {
    const target = spec.kind === 'put' ? spec.path : spec.kind === 'copy' ? spec.to : undefined;
    if (target === undefined) return;
    try {
      const place = await insideFolder(await this.#files.folder(session), target, { keepLink: spec.kind === 'copy' });
      await rm(partPath(place, command), { recursive: true, force: true });
    } catch {
      // Without its folder there is no part either; a path that was refused never had one.
    }
  }

  #done(record: FileRecord, facts?: Readonly<Record<string, string>>): Outcome {
    const times = { startedAtMs: record.startedAtMs, endedAtMs: this.#options.clock.now() };
    return { status: 'done', ...times, ...(facts && { facts }) };
  }

  #refused(record: FileRecord, message: string): Outcome {
    const times = { startedAtMs: record.startedAtMs, endedAtMs: this.#options.clock.now() };
    return { status: 'refused', message: message.slice(0, MAX_MESSAGE), ...times };
  }
}

/** Done at once, while its order is carried out; all other work on files waits for a line. */
export function isQuick({ kind }: CommandSpec): boolean {
  return kind === 'mkdir' || kind === 'remove';
}

function stateOf({ command, session, fence, outcome }: FileRecord): CommandState {
  const state = { command, session, fence, outputStart: 0, outputEnd: 0 };
  return outcome ? { ...state, state: 'finished', outcome } : { ...state, state: 'running' };
}

/** What a master is told of it: how its log is kept within the limit is the worker's own business. */
function stateOfHeld(held: HeldCommand): CommandState {
  const { command, session, fence, state, outputStart, outputEnd, outcome } = held;
  return { command, session, fence, state, outputStart, outputEnd, ...(outcome && { outcome }) };
}

/** A process that was refused has no need of its specification any more, which may be large and hold secrets. */
function whatToKeep(spec: CommandSpec): CommandSpec {
  return spec.kind === 'run' ? { kind: 'run' } : spec;
}
