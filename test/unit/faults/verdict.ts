import { readFile } from 'node:fs/promises';
import type { Store } from '../../../src/store/store.ts';
import type { SimKeeper } from './sim-keeper.ts';
import { sha256 } from './tasks.ts';
import type { Task } from './tasks.ts';

const HOLE = /\n\[trunkline: (\d+) bytes were lost here: the worker no longer held them\]\n/;
const LOST_END = '\n[trunkline: the worker lost the end of this output; what came after is missing]\n';

/** What is wrong with how a command ended. */
export function wrongEnd({ order, outcome, ...task }: Task, starts: number): readonly string[] {
  const { command, spec } = order;
  const wrong = starts > 1 + task.mayRunAgain ? [`${command} was started ${starts} times`] : [];
  if (task.giveUp?.signal.aborted) return wrong;
  if (!outcome) return [...wrong, `${command} has no outcome`];
  const { status, ended } = outcome;
  const isRight =
    status === (spec.kind === 'run' ? 'exited' : 'done') ||
    (ended === 'interrupt' && task.isInterrupted === true && status !== 'unknown') ||
    (task.isDamaged === true && (status === 'unknown' || ended === 'interrupt'));
  return isRight ? wrong : [...wrong, `${command} ended so: ${JSON.stringify(outcome)}`];
}

/** What is wrong with what is stored of it. */
export async function wrongContent(task: Task, store: Store, keeper: SimKeeper): Promise<readonly string[]> {
  const { order, content, target, outcome } = task;
  const { command, logId } = order;
  const state = (await store.commands.find(command))?.state;
  const wrong = state === 'finished' ? [] : [`${command} is ${state} in the store`];
  if (logId === undefined) {
    const isWhole = outcome?.status !== 'done' || sha256(await readFile(target)) === sha256(content);
    return isWhole ? wrong : [...wrong, `${command}: ${target} is not what it should be`];
  }
  const stored = await storedLog(store, logId);
  if (task.isDamaged || task.giveUp?.signal.aborted) {
    return comesFrom(stored, content) ? wrong : [...wrong, `${command}: its ${stored.length} bytes are not of it`];
  }
  const printed = keeper.printed.get(command) ?? Buffer.alloc(0);
  if (sha256(stored) !== sha256(printed))
    wrong.push(`${command} printed ${printed.length} bytes, stored are ${stored.length} others`);
  if (outcome?.status === 'exited' && printed.length !== content.length) wrong.push(`${command} printed too little`);
  return wrong;
}

/** True when a log holds nothing but what was printed, in its order, and says itself how much is missing where. */
function comesFrom(stored: Buffer, printed: Buffer): boolean {
  const text = stored.toString('latin1');
  const [first = '', ...holes] = (text.endsWith(LOST_END) ? text.slice(0, -LOST_END.length) : text).split(HOLE);
  const all = printed.toString('latin1');
  let at = first.length;
  if (all.slice(0, at) !== first) return false;
  for (let n = 0; n < holes.length; n += 2) {
    const piece = holes[n + 1] ?? '';
    at += Number(holes[n]);
    if (all.slice(at, at + piece.length) !== piece) return false;
    at += piece.length;
  }
  return true;
}

async function storedLog(store: Store, logId: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.logs.read(logId, 0, Infinity)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
