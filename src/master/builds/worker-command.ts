import type { CommandRecord } from '../../model/command.ts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { KnownCall, PutArgs, RunArgs } from '../../config/calls.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { commandSpec } from '../../protocol/messages.ts';
import type { CommandSpec } from '../../protocol/messages.ts';

/** Folders that paths of a configuration on the master mean. */
export interface MasterFolders {
  /** Relative paths begin here. */
  readonly dir: string;
  /** Texts that are sent as files wait here. */
  readonly filesDir: string;
}

export type WorkerCall = Extract<KnownCall, { readonly kind: 'run' | 'mkdir' | 'remove' | 'put' | 'get' }>;

/** What a call asks of the worker. */
export interface WorkerCommand {
  readonly spec: CommandSpec;
  /** run: so much of its output is kept, if the call says so. */
  readonly logMaxBytes?: number;
  /** put, get: on the master's disk. */
  readonly file?: string;
  /** The file was made for this command alone. */
  readonly isTemporary?: boolean;
}

/** Makes the command of a call. Throws what is wrong with it, for the step's function. */
export async function workerCommand(call: WorkerCall, command: string, folders: MasterFolders): Promise<WorkerCommand> {
  switch (call.kind) {
    case 'run':
      return {
        spec: check(runSpec(call.args)),
        ...(call.args.logMaxBytes !== undefined && { logMaxBytes: call.args.logMaxBytes }),
      };
    case 'mkdir':
    case 'remove':
      return { spec: check({ kind: call.kind, path: call.args.path }) };
    case 'put':
      return await putCommand(call.args, command, folders);
    default:
      return getCommand(call.args, folders);
  }
}

function getCommand(
  args: Extract<WorkerCall, { readonly kind: 'get' }>['args'],
  folders: MasterFolders,
): WorkerCommand {
  const { path, file, maxBytes } = args;
  return { spec: check({ kind: 'get', path, maxBytes }), file: onMaster(file, folders) };
}

function runSpec(args: RunArgs): unknown {
  const { command, cwd, env, stdin, silenceMs, totalMs, killAfterMs } = args;
  const what = typeof command === 'string' ? { shell: command } : { argv: command };
  const input = stdin === undefined ? undefined : Buffer.from(stdin, 'utf8');
  return { kind: 'run', ...what, cwd, env, stdin: input, silenceMs, totalMs, killAfterMs };
}

async function putCommand(args: PutArgs, command: string, folders: MasterFolders): Promise<WorkerCommand> {
  const { path, source, mode } = args;
  if ('text' in source) {
    const bytes = Buffer.from(source.text, 'utf8');
    const file = resolve(folders.filesDir, `${command}.put`);
    await writeFileAtomic(file, bytes, 0o600);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { spec: check({ kind: 'put', path, size: bytes.length, sha256, mode }), file, isTemporary: true };
  }
  const file = onMaster(source.file, folders);
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of createReadStream(file)) {
    hash.update(piece as Buffer);
    size += (piece as Buffer).length;
  }
  const sha256 = hash.digest('hex');
  if (source.sha256 !== undefined && source.sha256 !== sha256) {
    throw new Error(`the master's file ${file} is not the one meant: its SHA-256 is ${sha256}, not ${source.sha256}`);
  }
  return { spec: check({ kind: 'put', path, size, sha256, mode }), file };
}

function onMaster(file: string, folders: MasterFolders): string {
  return isAbsolute(file) ? file : resolve(folders.dir, file);
}

/** Against the wire's own rules, so that what they forbid is told to the step and not found out on the way. */
function check(spec: unknown): CommandSpec {
  return commandSpec(spec, 'command');
}

const ON_WORKER: readonly string[] = ['run', 'reboot', 'mkdir', 'remove', 'put', 'get'];

/** An earlier run of the master may have begun it, and not heard its end. */
export function isUnfinishedOnWorker(record: CommandRecord): boolean {
  return record.state === 'started' && ON_WORKER.includes(record.kind);
}
