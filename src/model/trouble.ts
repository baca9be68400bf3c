/**
 * When a worker is in trouble, in numbers. A trouble is a row: it begins once and ends once, whatever restarts in between.
 */

/** `missing`: away for long; `flapping`: comes again and again; `full`: its disk, or its spool, takes no more. */
export type TroubleKind = 'missing' | 'flapping' | 'full';

export interface Trouble {
  readonly id: number;
  readonly worker: string;
  readonly kind: TroubleKind;
  /** Since when the worker is so, which is earlier than when it was noticed. */
  readonly sinceMs: number;
  /** Absent while it lasts. */
  readonly untilMs?: number;
  /** For people: what it is, and how it ended. */
  readonly text: string;
  readonly endText?: string;
  /** Of the worker, when it began: who was told of the begin is told of the end. */
  readonly owner?: string;
}

export interface TroubleRules {
  /** A worker that is away for longer is missing. */
  readonly missingAfterMs: number;
  /** One that makes more connections than this within the window is flapping, until it makes none for a whole window. */
  readonly flapping: { readonly connections: number; readonly withinMs: number };
  /** One that has no room for longer is full. */
  readonly fullAfterMs: number;
}

export const TROUBLE_RULES: TroubleRules = {
  missingAfterMs: 60 * 60_000,
  flapping: { connections: 6, withinMs: 10 * 60_000 },
  fullAfterMs: 5 * 60_000,
};
/** So many connections of a worker are kept in the store. */
export const CONNECTIONS_KEPT = 100;
/** After its own start a master waits so long for workers to come before it calls one missing. */
const SETTLE_MS = 2 * 60_000;

/** What is seen of a worker at one moment. */
export interface WorkerSight {
  readonly isConfigured: boolean;
  /** It is given no builds, by somebody's word or its own wish. */
  readonly isHeld: boolean;
  readonly isHere: boolean;
  /** Absent: it is here, or never was. */
  readonly awayMs?: number;
  /** How long this master knows who is here. */
  readonly masterUpMs: number;
  /** How long ago it connected anew, newest first. */
  readonly connectedAgoMs: readonly number[];
  /** Whether it is without room, and for how long that has been so; absent: it has not said. */
  readonly room?: { readonly isFull: boolean; readonly forMs: number };
}

export interface Begin {
  readonly kind: TroubleKind;
  readonly agoMs: number;
}

export interface End {
  readonly kind: TroubleKind;
  readonly why: 'better' | 'held' | 'unconfigured';
}

export interface Judgement {
  readonly begins: readonly Begin[];
  readonly ends: readonly End[];
  /** If nothing else happens, it is to be judged again in so long. */
  readonly dueInMs: number;
}

/** What begins and what ends, given what is open. */
export function judgeWorker(sight: WorkerSight, rules: TroubleRules, open: ReadonlySet<TroubleKind>): Judgement {
  const begins: Begin[] = [];
  const ends: End[] = [];
  const dues = [Infinity];
  for (const { kind, state } of [missing(sight, rules), flapping(sight, rules), full(sight, rules)]) {
    const why = sight.isConfigured ? state.isOver : 'unconfigured';
    if (open.has(kind)) {
      if (why) ends.push({ kind, why });
      else dues.push(state.overInMs ?? Infinity);
    } else if (sight.isConfigured && state.begunAgoMs !== undefined) begins.push({ kind, agoMs: state.begunAgoMs });
    else if (sight.isConfigured) dues.push(state.beginsInMs ?? Infinity);
  }
  return { begins, ends, dueInMs: Math.min(...dues) };
}

interface State {
  /** It is in trouble, since so long. */
  readonly begunAgoMs?: number;
  /** It will be when nothing changes. */
  readonly beginsInMs?: number;
  /** A trouble that is open is over; between the two it goes on, and begins not. */
  readonly isOver?: End['why'];
  readonly overInMs?: number;
}

interface Seen {
  readonly kind: TroubleKind;
  readonly state: State;
}

function missing({ isHere, isHeld, awayMs, masterUpMs }: WorkerSight, { missingAfterMs }: TroubleRules): Seen {
  const kind = 'missing';
  if (isHere) return { kind, state: { isOver: 'better' } };
  if (isHeld) return { kind, state: { isOver: 'held' } };
  if (awayMs === undefined) return { kind, state: {} };
  const leftMs = Math.max(missingAfterMs - awayMs, Math.min(SETTLE_MS, missingAfterMs) - masterUpMs);
  return { kind, state: leftMs > 0 ? { beginsInMs: leftMs } : { begunAgoMs: awayMs } };
}

function flapping({ connectedAgoMs }: WorkerSight, { flapping: { connections, withinMs } }: TroubleRules): Seen {
  const recent = connectedAgoMs.filter((agoMs) => agoMs < withinMs);
  const [newestMs] = recent;
  if (newestMs === undefined) return { kind: 'flapping', state: { isOver: 'better' } };
  const begun = recent.length > connections ? { begunAgoMs: Math.max(...recent) } : {};
  return { kind: 'flapping', state: { ...begun, overInMs: withinMs - newestMs } };
}

/** The end waits as long as the begin did, so that a disk at its limit is one trouble and not many. */
function full({ room }: WorkerSight, { fullAfterMs }: TroubleRules): Seen {
  const kind = 'full';
  if (!room) return { kind, state: {} };
  const leftMs = fullAfterMs - room.forMs;
  if (room.isFull) return { kind, state: leftMs > 0 ? { beginsInMs: leftMs } : { begunAgoMs: room.forMs } };
  return { kind, state: leftMs > 0 ? { overInMs: leftMs } : { isOver: 'better' } };
}
