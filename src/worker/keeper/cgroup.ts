import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { errorCode, errorText } from '../../base/errors.ts';

/** Where cgroups of ours may be made, or why not. */
export type CgroupBase = { readonly base: string } | { readonly why: string };

/** The folder of this process's own cgroup (v2), if cgroups may be made and processes moved below it: see cgroups(7). */
export function findCgroupBase(): CgroupBase {
  if (process.platform !== 'linux') return { why: 'this system has none' };
  try {
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    const mount = /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'));
    if (own === undefined || !mount) return { why: 'no cgroup v2 is mounted' };
    const [, root = '/', mountPoint = ''] = mount;
    const below = relative(root, own);
    if (below.startsWith('..')) return { why: 'the own cgroup is not visible' };
    const base = join(mountPoint, below);
    const probe = mkdtempSync(join(base, 'trunkline-probe-'));
    try {
      for (const group of [base, probe]) accessSync(join(group, 'cgroup.procs'), constants.W_OK);
    } finally {
      rmdirSync(probe);
    }
    return { base };
  } catch (error) {
    return { why: `not delegated (${errorCode(error) ?? errorText(error)})` };
  }
}

/** The processes in a cgroup and those below it. */
export function membersOf(group: string): ReadonlySet<number> {
  const members = new Set<number>();
  for (const each of [group, ...groupsBelow(group)]) {
    // One below that its command made threaded tells none: they are told by the one above.
    const pids = unlessShut(() => readFileSync(join(each, 'cgroup.procs'), 'utf8')) ?? '';
    for (const pid of pids.split('\n')) if (pid !== '') members.add(Number(pid));
  }
  return members;
}

/** Ends all in it at once, also what is being forked; where the kernel cannot (before 5.14), it stops them for who kills them. */
export function killCgroup(group: string): void {
  const isKilled = unlessShut(() => write(group, 'cgroup.kill'));
  if (!isKilled) unlessShut(() => write(group, 'cgroup.freeze'));
}

/** Removes it and those below it; false while it is there: a process is in one of them, or another user has made one. */
export function removeCgroup(group: string): boolean {
  for (const each of [...groupsBelow(group).toReversed(), group]) unlessShut(() => rmdirSync(each));
  return !existsSync(group);
}

/** Parents before their children. */
function groupsBelow(group: string): string[] {
  const entries = unlessShut(() => readdirSync(group, { withFileTypes: true })) ?? [];
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [join(group, name), ...groupsBelow(join(group, name))]);
}

function write(group: string, file: string): true {
  // Not made when it is not there: this is no ordinary folder.
  writeFileSync(join(group, file), '1', { flag: 'r+' });
  return true;
}

/** Gone; in use; another user's; threaded, where some files are not to be used. */
const SHUT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENODEV', 'EBUSY', 'EACCES', 'EPERM', 'ENOTSUP']);

/** What a command does to its cgroup is not to keep us from ending it by the other ways. */
function unlessShut<T>(deed: () => T): T | undefined {
  try {
    return deed();
  } catch (error) {
    if (SHUT.has(errorCode(error))) return undefined;
    throw error;
  }
}
