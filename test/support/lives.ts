import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './until.ts';

/** One process of a command: when it lived, by the clock that all processes of a machine share. */
export interface Life {
  readonly pid: number;
  readonly worker: string;
  readonly bornMs: number;
  /** It still lived then. */
  readonly lastMs: number;
  /** Processes of other lives that were there when it was born. */
  readonly met: readonly number[];
}

/** Notes every 20 ms that it lives, until the file `go` is there; TERM does not end it, and a child of another session notes too. */
const PROGRAM = `
import os, signal, sys, time
folder = sys.argv[1]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def alive(pid):
    try:
        return open('/proc/%s/stat' % pid).read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False
worker = os.getcwd().split('/work/')[0].rsplit('/', 1)[1]
met = [pid for pid in (name.split('.')[0] for name in os.listdir(folder) if name.endswith('.life')) if alive(pid)]
def live():
    with open('%s/%d.life' % (folder, os.getpid()), 'w') as note:
        note.write('%s %s\\n' % (worker, ','.join(met)))
        while not os.path.exists(folder + '/go'):
            note.write('%d\\n' % (time.monotonic() * 1000)); note.flush(); time.sleep(0.02)
if os.fork() == 0:
    os.setsid()
    live()
    os._exit(0)
live()
os.wait()
`;

/** The lives of a build's command in a folder of their own. */
export class Lives {
  readonly folder: string;
  readonly command: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.command = `exec python3 ${join(folder, 'live.py')} ${folder}`;
  }

  static async make(folder: string): Promise<Lives> {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'live.py'), PROGRAM);
    return new Lives(folder);
  }

  async all(): Promise<readonly Life[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith('.life'));
    const lives = await Promise.all(names.map(async (name) => read(name, await this.#text(name))));
    return lives.flat().toSorted((a, b) => a.bornMs - b.bornMs);
  }

  /** Waits until the command lives on a worker, with its child; resolves to their pids. */
  async bornOn(worker: string): Promise<readonly number[]> {
    return await until(`a process lives on ${worker}`, async () => {
      const pids = (await this.all()).filter((life) => life.worker === worker).map(({ pid }) => pid);
      return pids.length >= 2 && pids.some(isAlive) ? pids : undefined;
    });
  }

  /** Lets those that live end by themselves. */
  async go(): Promise<void> {
    await writeFile(join(this.folder, 'go'), '');
  }

  async #text(name: string): Promise<string> {
    return await readFile(join(this.folder, name), 'utf8');
  }
}

/** Two lives on different workers that overlap, or that met; in words. */
export function overlaps(lives: readonly Life[]): readonly string[] {
  const found: string[] = [];
  for (const life of lives) {
    const own = new Set(lives.filter(({ worker }) => worker === life.worker).map(({ pid }) => pid));
    for (const pid of life.met) if (!own.has(pid)) found.push(`${life.pid} on ${life.worker} met ${pid}`);
    for (const other of lives) {
      if (other.worker === life.worker || other.bornMs < life.bornMs || other.bornMs > life.lastMs) continue;
      found.push(`${other.pid} on ${other.worker} was born before ${life.pid} on ${life.worker} ended`);
    }
  }
  return found;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: that is the answer.
  }
}

/** Nothing yet of one that has only just begun its note. */
function read(name: string, text: string): readonly Life[] {
  const [head = '', ...beats] = text.slice(0, text.lastIndexOf('\n')).split('\n');
  const [worker = '', met = ''] = head.split(' ');
  if (beats.length === 0) return [];
  const numbers = met === '' ? [] : met.split(',').map(Number);
  return [
    { pid: Number.parseInt(name, 10), worker, bornMs: Number(beats[0]), lastMs: Number(beats.at(-1)), met: numbers },
  ];
}
