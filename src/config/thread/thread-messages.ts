import type { Json } from '../../model/json.ts';
import type { Answered, StepAnswer, StepCall, StepReport, StepRun } from '../code-host.ts';
import type { ConfigShape } from '../shape.ts';

/** What the master's thread and the thread of user code say to each other. `id` names one run of a step's function, or one question. */
export type ToThread =
  | { readonly type: 'ping' }
  | { readonly type: 'load'; readonly hash: string; readonly bundle: Uint8Array }
  | { readonly type: 'run'; readonly id: number; readonly run: StepRun }
  | {
      readonly type: 'ask';
      readonly id: number;
      readonly configHash: string;
      readonly place: string;
      readonly args: readonly Json[];
    }
  | { readonly type: 'answer'; readonly id: number; readonly key: string; readonly answer: StepAnswer }
  /** Output of a command that is observed. Answered with `taken`, before which no other one of the call comes. */
  | { readonly type: 'output'; readonly id: number; readonly key: string; readonly bytes: Uint8Array }
  /** Nobody waits for it any more: its calls get no answer. Answered with `dropped`. */
  | { readonly type: 'drop'; readonly id: number };

export type FromThread =
  /** It has started, and can be expected to answer. */
  | { readonly type: 'ready' }
  | { readonly type: 'loaded'; readonly hash: string; readonly shape: ConfigShape }
  | { readonly type: 'refused'; readonly hash: string; readonly mistakes: readonly string[] }
  | { readonly type: 'call'; readonly id: number; readonly call: StepCall }
  | { readonly type: 'taken'; readonly id: number; readonly key: string }
  | { readonly type: 'report'; readonly id: number; readonly report: StepReport }
  | { readonly type: 'answered'; readonly id: number; readonly answered: Answered }
  | { readonly type: 'dropped'; readonly id: number }
  /** An error of user code that belongs to no step. */
  | { readonly type: 'stray'; readonly text: string };

/** Memory that both threads see: it can be read while the thread of user code does not yield. */
export interface ThreadData {
  readonly shared: SharedArrayBuffer;
}

/** Places in the shared memory, an `Int32Array`. */
export const SHARED = { pongs: 0, mark: 1, length: 2 } as const;

/** What the thread is at: the id of a run or question (from 1), or one of these. */
export const MARK = { none: 0, loading: -1 } as const;
