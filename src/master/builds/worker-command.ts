import type { CommandRecord } from '../../model/command.ts';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { KnownCall, PutArgs, RunArgs } from '../../config/calls.ts';
import { ARTIFACT_BYTES } from '../artifacts/artifact-limits.ts';
import type { ArtifactFolder } from '../artifacts/artifact-folder.ts';
import { fetchedPath } from '../files/fetched-file.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { textPath } from '../files/sent-text.ts';
import { isSecretRef, secretsIn } from '../../model/secret.ts';
import type { BuildSecrets } from '../secrets/build-secrets.ts';
import { commandSpec } from '../../protocol/messages.ts';
import type { CommandSpec } from '../../protocol/messages.ts';
import { checkOrderSize } from './order-size.ts';
import { withPrepended } from './prepend.ts';

const SECRET_MODE = 0o600;
const OTHERS = 0o077;

/** Folders that paths of a configuration on the master mean. */
export interface MasterFolders {
  /** Relative paths begin here. */
  readonly dir: string;
  /** Texts that are sent as files wait here. */
  readonly filesDir: string;
  readonly artifacts: ArtifactFolder;
}

export type WorkerCall = Extract<
  KnownCall,
  { readonly kind: 'run' | 'mkdir' | 'remove' | 'put' | 'get' | 'stat' | 'glob' | 'copy' | 'move' | 'keep' }
>;

/** What a call asks of the worker. */
export interface WorkerCommand {
  readonly spec: CommandSpec;
  /** run: so much of its output is kept, if the call says so. */
  readonly logMaxBytes?: number;
  /** put, get: on the master's disk. */
  readonly file?: string;
  /** run: what its output must not show. */
  readonly masks?: readonly Uint8Array[];
  /** The file was made for this command alone. */
  readonly isTemporary?: boolean;
}

/**
 * Makes the command of a call; what it needs of secrets the build has from now on. Throws what is wrong with it, for the step's
 * function, or a `SecretError`.
 */
export async function workerCommand(
  call: WorkerCall,
  command: string,
  folders: MasterFolders,
  secrets: BuildSecrets,
): Promise<WorkerCommand> {
  switch (call.kind) {
    case 'run': {
      const values = await secrets.give(secretsIn(call.args.env));
      const masks = await secrets.masks();
      const spec = check(runSpec(call.args, values));
      checkOrderSize(command, spec, masks);
      return {
        spec,
        ...(masks.length > 0 && { masks }),
        ...(call.args.logMaxBytes !== undefined && { logMaxBytes: call.args.logMaxBytes }),
      };
    }
    case 'mkdir':
    case 'remove':
    case 'stat':
    case 'copy':
    case 'move':
      return { spec: check({ kind: call.kind, ...call.args }) };
    case 'glob':
      return { spec: check({ kind: 'glob', ...call.args }), file: fetchedPath(folders.filesDir, command) };
    case 'keep': {
      const { path, maxBytes = ARTIFACT_BYTES } = call.args;
      return { spec: check({ kind: 'get', path, maxBytes }), file: fetchedPath(folders.filesDir, command) };
    }
    case 'put':
      return await putCommand(call.args, command, folders, secrets);
    default:
      return getCommand(call.args, command, folders);
  }
}

function getCommand(
  args: Extract<WorkerCall, { readonly kind: 'get' }>['args'],
  command: string,
  folders: MasterFolders,
): WorkerCommand {
  const { path, file, maxBytes } = args;
  const to = file === undefined ? fetchedPath(folders.filesDir, command) : onMaster(file, folders);
  return { spec: check({ kind: 'get', path, maxBytes }), file: to };
}

function runSpec(args: RunArgs, values: ReadonlyMap<string, string>): unknown {
  const { cwd, stdin, silenceMs, totalMs, killAfterMs } = args;
  const command = args.prepend ? withPrepended(args.command, args.prepend) : args.command;
  const what = typeof command === 'string' ? { shell: command } : { argv: command };
  const input = stdin === undefined ? undefined : Buffer.from(stdin, 'utf8');
  const env = Object.fromEntries(
    Object.entries(args.env).map(([name, value]) => [name, isSecretRef(value) ? values.get(value.name) : value]),
  );
  return { kind: 'run', ...what, cwd, env, stdin: input, silenceMs, totalMs, killAfterMs };
}

async function putCommand(
  args: PutArgs,
  command: string,
  folders: MasterFolders,
  secrets: BuildSecrets,
): Promise<WorkerCommand> {
  const { path, source, mode } = args;
  if (isSecretRef(source)) {
    if (((mode ?? 0) & OTHERS) !== 0)
      throw new Error('the file of a secret is for its owner alone; give it mode 0o600');
    const value = (await secrets.give([source.name])).get(source.name) ?? '';
    const { spec, file } = await putText(value, path, mode ?? SECRET_MODE, command, folders);
    return { spec: check({ ...spec, secret: true }), file, isTemporary: true };
  }
  if ('text' in source) return { ...(await putText(source.text, path, mode, command, folders)), isTemporary: true };
  if ('artifact' in source) {
    const { artifact: sha256, size } = source;
    return { spec: check({ kind: 'put', path, size, sha256, mode }), file: await folders.artifacts.existing(sha256) };
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

async function putText(
  text: string,
  path: string,
  mode: number | undefined,
  command: string,
  folders: MasterFolders,
): Promise<{ readonly spec: CommandSpec; readonly file: string }> {
  const bytes = Buffer.from(text, 'utf8');
  const file = textPath(folders.filesDir, command);
  await writeFileAtomic(file, bytes, 0o600);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { spec: check({ kind: 'put', path, size: bytes.length, sha256, mode }), file };
}

/** Where a path of a configuration lies. */
export function onMaster(file: string, folders: MasterFolders): string {
  return isAbsolute(file) ? file : resolve(folders.dir, file);
}

/** Against the wire's own rules, so that what they forbid is told to the step and not found out on the way. */
function check(spec: unknown): CommandSpec {
  return commandSpec(spec, 'command');
}

const ON_WORKER: readonly string[] = [
  'run',
  'follow',
  'reboot',
  'mkdir',
  'remove',
  'put',
  'get',
  'stat',
  'glob',
  'copy',
  'move',
  'keep',
];

/** An earlier run of the master may have begun it, and not heard its end. */
export function isUnfinishedOnWorker(record: CommandRecord): boolean {
  return record.state === 'started' && ON_WORKER.includes(record.kind);
}
