import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandOrder } from '../../../src/master/link/desk.ts';
import type { Build } from '../../../src/model/build.ts';
import type { CommandSpec, Outcome } from '../../../src/protocol/messages.ts';
import type { Store } from '../../../src/store/store.ts';
import { buildSet } from '../../support/temp-store.ts';
import type { Chance } from './chance.ts';

/** A command, and what befell it. */
export interface Task {
  readonly order: CommandOrder;
  /** What a process prints, or what the file holds. */
  readonly content: Buffer;
  /** put: where it is on the worker. get: on the master. */
  readonly target: string;
  outcome?: Outcome;
  /** Its end was asked for. */
  isInterrupted?: boolean;
  /** Its build does not wait for it any more: this ends the wait. */
  giveUp?: AbortController;
  /** A disk that must not forget did: its log may say what it lacks, and its outcome that nothing is known. */
  isDamaged?: boolean;
  /** Nobody can know any more that it was started: so many times. */
  mayRunAgain: number;
}

export interface Seated {
  readonly build: Build;
  /** One after the other but for a pair that runs beside each other. */
  readonly tasks: readonly (readonly Task[])[];
}

interface Place {
  readonly store: Store;
  readonly dir: string;
  readonly chance: Chance;
}

/** A few builds with their commands, as the store and the configuration know them. */
export async function makeBuilds(place: Place): Promise<readonly Seated[]> {
  const { store, chance } = place;
  const seated: Seated[] = [];
  for (let n = 0, builds = 1 + chance.below(3); n < builds; n++) {
    const [request] = await store.requests.add(buildSet(`b${n}`));
    const build = await store.requests.claim({
      requestId: request?.id ?? 0,
      worker: 'w',
      configHash: 'c0ffee',
      stepNames: ['make'],
      properties: [],
      atMs: 2_000,
    });
    const tasks: Task[][] = [];
    let key = 0;
    for (let m = 0, rounds = 1 + chance.below(3); m < rounds; m++) {
      const round: Task[] = [];
      for (let i = 0, pair = chance.happens(0.3) ? 2 : 1; i < pair; i++)
        round.push(await newTask(place, build, String(++key)));
      tasks.push(round);
    }
    seated.push({ build, tasks });
  }
  return seated;
}

async function newTask({ store, dir, chance }: Place, build: Build, key: string): Promise<Task> {
  const command = `${build.uid}.0.${key}`;
  const seat = await store.workers.seat(build.session);
  if (!seat) throw new Error('a build without a seat');
  const kind = chance.happens(0.8) ? 'run' : chance.happens(0.5) ? 'put' : 'get';
  const content = contentOf(chance);
  const log = await store.commands.start(
    { id: command, buildId: build.id, step: 0, key, kind, call: {} },
    kind === 'run' ? { name: `log-${key}` } : undefined,
  );
  const [here, there] = [join(dir, `file-${command}`), join(dir, 'work', seat.directory)];
  if (kind === 'put') await writeFile(here, content);
  if (kind === 'get') {
    await mkdir(there, { recursive: true });
    await writeFile(join(there, key), content);
  }
  const about = kind === 'put' ? { size: content.length, sha256: sha256(content) } : {};
  const spec: CommandSpec = kind === 'run' ? { kind, shell: 'make' } : { kind, path: key, ...about };
  const order = { command, seat, spec, ...(log ? { logId: log.id } : { file: here }) };
  return { order, content, target: kind === 'put' ? join(there, key) : here, mayRunAgain: 0 };
}

/** Short and long, dense and thin; no part of it like another. */
function contentOf(chance: Chance): Buffer {
  const length = Math.floor(600_000 ** chance.next());
  if (chance.happens(0.3)) {
    const lines = Array.from({ length: Math.ceil(length / 40) }, (_, n) => `line ${n} ${'.'.repeat(40)}\n`);
    return Buffer.from(lines.join(''));
  }
  const content = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) content.writeUInt32LE(Math.floor(chance.next() * 2 ** 32), at);
  return content;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
