import { spawn } from 'node:child_process';
import { UserMistake } from '../../base/errors.ts';

export interface TreePatch {
  /** Of the verb, with the revision that the patch goes on top of. */
  readonly words: readonly string[];
  readonly patch: Uint8Array;
}

/** Whatever a person has set up for reading diffs, the patch is one that `git apply` takes anywhere. */
const DIFF = [
  'diff',
  '--binary',
  '--full-index',
  '--no-color',
  '--no-ext-diff',
  '--no-textconv',
  '--no-relative',
  '--submodule=short',
  '--src-prefix=a/',
  '--dst-prefix=b/',
];

/**
 * What the working tree here has over a revision that others have: the one named with `--revision`, else where it left its
 * upstream branch, else the last commit. Commits since then are in it, files that git was not told of are not.
 */
export async function readWorkingTree(words: readonly string[]): Promise<TreePatch> {
  const inside = await git(['rev-parse', '--show-toplevel']);
  if (inside.status !== 0) {
    const what = 'try wants a patch on standard input, or to be called in a working tree of git';
    throw new UserMistake(what, { exitStatus: 64 });
  }
  const top = inside.out.toString().replace(/\n$/, '');
  const wanted = namedRevision(words);
  const base = await revision(wanted ?? 'HEAD', wanted === undefined);
  const diff = await git([...DIFF, base, '--'], top);
  if (diff.status !== 0) throw new UserMistake(`git cannot tell what changed: ${diff.errors.trim()}`);
  if (diff.out.length === 0) {
    throw new UserMistake(`nothing differs from ${base.slice(0, 12)} here: force a build of that instead`);
  }
  const others =
    (await git(['ls-files', '--others', '--exclude-standard', '-z'], top)).out.toString().split('\0').length - 1;
  if (others > 0) tell(`${others} files that git does not know are left out: "git add -N" takes them in`);
  tell(`the patch is ${diff.out.length} bytes on top of ${base.slice(0, 12)}`);
  return { words: wanted === undefined ? [...words, '--revision', base] : words, patch: diff.out };
}

async function revision(name: string, isFromUpstream: boolean): Promise<string> {
  const shared = isFromUpstream ? await git(['merge-base', 'HEAD', '@{upstream}']) : undefined;
  if (shared?.status === 0) return shared.out.toString().trim();
  const found = await git(['rev-parse', '--verify', '--end-of-options', `${name}^{commit}`]);
  if (found.status !== 0) throw new UserMistake(`git knows no revision "${name}" here`, { exitStatus: 64 });
  if (shared) tell('this branch has no upstream: the repository that is built must have its last commit');
  return found.out.toString().trim();
}

/** `--revision R` or `--revision=R`. */
function namedRevision(words: readonly string[]): string | undefined {
  const at = words.indexOf('--revision');
  return at >= 0 ? words[at + 1] : words.find((word) => word.startsWith('--revision='))?.slice('--revision='.length);
}

function tell(line: string): void {
  process.stderr.write(`trunkline: ${line}\n`);
}

interface Ran {
  readonly status: number | null;
  readonly out: Buffer;
  readonly errors: string;
}

function git(args: readonly string[], cwd?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let errors = '';
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.setEncoding('utf8').on('data', (piece: string) => (errors += piece));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, out: Buffer.concat(out), errors }));
  });
}
