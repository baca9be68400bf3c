import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expectedOutput, WITNESS } from './witness.ts';

interface Note {
  readonly command: string;
  readonly pid: number;
  readonly cwd: string;
  readonly generation: string;
  /** Of an end. */
  readonly bytes?: number;
  readonly sha256?: string;
  /** Of an overlap: the other command, or what others hold. */
  readonly of?: string;
}

export interface LedgerReport {
  readonly commands: number;
  readonly starts: number;
  readonly startedTwice: readonly string[];
  readonly overlaps: readonly string[];
  readonly mixedConfigurations: readonly string[];
}

/** What the commands themselves noted, outside of all that Trunkline stores. */
export class Ledger {
  readonly dir: string;
  readonly witness: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.witness = join(dir, 'witness.py');
  }

  static async create(dir: string): Promise<Ledger> {
    for (const kind of ['starts', 'ends', 'overlaps', 'seats', 'slots'])
      await mkdir(join(dir, kind), { recursive: true });
    const ledger = new Ledger(dir);
    await writeFile(ledger.witness, WITNESS);
    return ledger;
  }

  /** Undefined when it did not come to its end. */
  async end(command: string): Promise<{ readonly bytes: number; readonly sha256: string } | undefined> {
    const start = `${fileName(command)}~`;
    const name = (await readdir(join(this.dir, 'ends'))).find((one) => one.startsWith(start) && !one.endsWith('.new'));
    if (name === undefined) return undefined;
    const { bytes = 0, sha256 = '' } = await this.#read('ends', name);
    return { bytes, sha256 };
  }

  async report(): Promise<LedgerReport> {
    const starts = await this.#all('starts');
    const count = new Map<string, number>();
    const generations = new Map<string, Set<string>>();
    for (const { command, generation } of starts) {
      count.set(command, (count.get(command) ?? 0) + 1);
      const uid = uidOf(command);
      generations.set(uid, (generations.get(uid) ?? new Set()).add(generation));
    }
    return {
      commands: count.size,
      starts: starts.length,
      startedTwice: Array.from(count).flatMap(([command, times]) => (times > 1 ? `${command}: ${times} times` : [])),
      overlaps: (await this.#all('overlaps')).map(({ command, cwd, of }) => `${command} in ${cwd} beside ${of}`),
      mixedConfigurations: Array.from(generations).flatMap(([uid, all]) =>
        all.size > 1 ? `${uid}: ${Array.from(all).join(', ')}` : [],
      ),
    };
  }

  async #all(kind: string): Promise<Note[]> {
    const names = (await readdir(join(this.dir, kind))).filter((name) => !name.endsWith('.new'));
    return await Promise.all(names.map((name) => this.#read(kind, name)));
  }

  async #read(kind: string, name: string): Promise<Note> {
    return JSON.parse(await readFile(join(this.dir, kind, name), 'utf8')) as Note;
  }
}

/** A log ends with it whose keeper was killed before it had read all. */
const LOSS_MARK = /\n?\[trunkline: the keeper of this command was killed: the end of its output may be missing\]\n$/;

/** In place of the middle of one that reached its limit; the count comes with the tail. */
const LIMIT =
  /\n\[trunkline: the log has reached its limit: [^\]]*\]\n(?:\n\[trunkline: (\d+) bytes were left out here: the log had reached its limit\]\n)?/;

export interface LogRules {
  /** It may lack its end, as that of a stopped build. */
  readonly mayBeCut: boolean;
  /** It may lack its end, and then says so. */
  readonly mayBeMarked: (command: string) => boolean;
}

/** What is wrong with a stored log; undefined when nothing is. Its first line names the command. */
export async function wrongInLog(ledger: Ledger, stored: Buffer, rules: LogRules): Promise<string | undefined> {
  const command = commandOf(stored);
  const mark = LOSS_MARK.exec(stored.subarray(-200).toString('latin1'))?.[0] ?? '';
  if (command === undefined) {
    const isNothing = stored.length === mark.length && (rules.mayBeCut || mark !== '');
    return isNothing ? undefined : `it begins with "${stored.subarray(0, 60).toString()}"`;
  }
  if (mark !== '' && !rules.mayBeMarked(command)) return `${command}: it says that a keeper was killed, and none was`;
  const printed = printedBytes(stored, command, mark);
  if (printed === undefined) return `${command}: it is not what was printed`;
  if (rules.mayBeCut || mark !== '') return undefined;
  const end = await ledger.end(command);
  if (!end) return `${command}: its process never came to its end`;
  if (end.bytes !== printed) return `${command}: ${printed} of ${end.bytes} bytes are stored`;
  const sha256 = createHash('sha256')
    .update(expectedOutput(command, printed, starsIn(stored)))
    .digest('hex');
  return end.sha256 === sha256 ? undefined : `${command}: SHA-256 ${sha256} instead of ${end.sha256}`;
}

/** How much the command printed, by its log; undefined when that holds anything else. The newline before the mark may be either's. */
function printedBytes(stored: Buffer, command: string, mark: string): number | undefined {
  const lengths = mark.startsWith('\n') ? [mark.length, mark.length - 1] : [mark.length];
  for (const length of lengths) {
    const text = stored.toString('latin1', 0, stored.length - length);
    const [head = '', leftOut = '0', tail = ''] = text.split(LIMIT);
    const bytes = head.length + Number(leftOut) + tail.length;
    const stars = starsIn(stored);
    const all = expectedOutput(command, bytes, stars).toString('latin1');
    // A secret whose end never came is known by some of its characters only: the last line may be another, unless it is whole.
    if (stars > 0 && all.slice(0, all.lastIndexOf('\n')) === head.slice(0, head.lastIndexOf('\n'))) return bytes;
    if (all.startsWith(head) && all.endsWith(tail)) return bytes;
  }
  return undefined;
}

/** What stands for the secret that a log tells: it does in its first line, and is as long as the secret. */
function starsIn(log: Buffer): number {
  return /^\d{9} \S+ (\*+)\n/.exec(log.subarray(0, 300).toString())?.[1]?.length ?? 0;
}

/** The command that printed a log: each of its lines names it. */
export function commandOf(log: Buffer): string | undefined {
  return /^\d{9} (\S+)/.exec(log.subarray(0, 300).toString())?.[1];
}

/** What all commands of a build begin with. */
export function uidOf(command: string): string {
  return command.split('.', 1)[0] ?? '';
}

function fileName(command: string): string {
  return command.replaceAll(/[^A-Za-z0-9.-]/g, '_');
}
