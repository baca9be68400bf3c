import { isName, NAME_RULE } from '../../model/names.ts';
import type { Json } from '../../model/json.ts';
import type { FollowArgs, KnownCall, RunArgs, StatAnswer } from '../calls.ts';
import { parseLogLimit } from '../log-limit.ts';
import type { LogFile, RunOptions } from '../step-context.ts';

/** Of one command: each is a process beside it. */
const LOG_FILES = 10;

/** A file that a command writes, and its log. */
export interface FollowedFile extends LogFile {
  readonly log: string;
}

/** Checks the files that `ctx.run` was given. */
export function followedFiles(files: RunOptions['logFiles'] = {}): readonly FollowedFile[] {
  const all = Object.entries(files).map(([log, file]) => ({ log, ...(typeof file === 'string' ? { file } : file) }));
  if (all.length > LOG_FILES) throw new RangeError(`ctx.run was given more than ${LOG_FILES} logFiles`);
  for (const { log, file, logLimit } of all) {
    if (!isName(log)) throw new TypeError(`${JSON.stringify(log)} is no name for a log: use ${NAME_RULE}`);
    if (typeof file !== 'string' || file === '') throw new TypeError(`logFiles: ${log} has no file; give its path`);
    if (file.startsWith('/') || file.split('/').includes('..') || file.includes('\0')) {
      throw new TypeError(`logFiles: ${JSON.stringify(file)} leaves the folder of its command; write a path in it`);
    }
    if (logLimit !== undefined) parseLogLimit(logLimit);
  }
  return all;
}

/**
 * Has a command done while its files are followed. Each is looked at before, to know what of it is old; a mark is made when the
 * command has ended, upon which those who follow read to the end. All of it is calls like others: it outlives a restart.
 */
export async function runFollowed(
  call: (key: string, call: KnownCall) => Promise<Json>,
  key: string,
  args: RunArgs,
  files: readonly FollowedFile[],
  place: string,
): Promise<Json> {
  const mark = `.trunkline-${place}-${key}`;
  const follows: FollowArgs[] = [];
  for (const [index, file] of files.entries()) {
    const path = inFolder(args.cwd, file.file);
    const before = (await call(`${key}.stat-${index + 1}`, { kind: 'stat', args: { path } })) as StatAnswer;
    follows.push(followArgs(file, args, before, mark));
  }
  const ends = Promise.allSettled(
    follows.map((follow, index) => call(`${key}.file-${index + 1}`, { kind: 'follow', args: follow })),
  );
  const [ran] = await Promise.allSettled([call(key, { kind: 'run', args })]);
  const path = inFolder(args.cwd, mark);
  await call(`${key}.end`, { kind: 'mkdir', args: { path } });
  const followed = await ends;
  await call(`${key}.clean`, { kind: 'remove', args: { path } });
  for (const end of [ran, ...followed]) if (end.status === 'rejected') throw end.reason;
  return ran.status === 'fulfilled' ? ran.value : null;
}

function followArgs(
  { log, file, follow = false, logLimit }: FollowedFile,
  { cwd, env, logMaxBytes }: RunArgs,
  { type, size = 0, mtimeMs = 0 }: StatAnswer,
  mark: string,
): FollowArgs {
  const isThere = type === 'file';
  const limit = logLimit === undefined ? logMaxBytes : parseLogLimit(logLimit);
  return {
    file,
    mark,
    at: follow && isThere ? size : 0,
    old: isThere ? `${size} ${Math.floor(mtimeMs / 1000)}` : '',
    log,
    // Its secrets are masked in the file's bytes, too.
    env,
    ...(cwd !== undefined && { cwd }),
    ...(limit !== undefined && { logMaxBytes: limit }),
  };
}

function inFolder(folder: string | undefined, path: string): string {
  return folder === undefined ? path : `${folder}/${path}`;
}
