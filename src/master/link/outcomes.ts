import { showSize } from '../../base/size.ts';
import type { CommandSpec, Fields, Outcome } from '../../protocol/messages.ts';

/** Kinds of orders that some workers do not know. */
const NEWER: readonly CommandSpec['kind'][] = ['stat', 'glob', 'copy', 'move'];

/** Outcomes that the master gives by itself, when the worker has none to give. */

export function lostByWorker(
  post: { readonly command: string; readonly seenBy: string | undefined },
  hello: Fields<'hello'>,
  nowMs: number,
): Outcome {
  const why =
    post.seenBy === hello.installId
      ? 'its spool was lost'
      : `it was started by an earlier installation (${post.seenBy ?? 'unknown'}) of this worker`;
  const message = `worker ${hello.worker} no longer knows the command ${post.command}: ${why}; it is not started again by itself`;
  return { status: 'unknown', message: message.slice(0, 1_000), startedAtMs: nowMs, endedAtMs: nowMs };
}

export function interruptedBeforeStart(reason: string, nowMs: number): Outcome {
  const message = `interrupted before it was started: ${reason}`.slice(0, 1_000);
  return { status: 'refused', ended: 'interrupt', message, startedAtMs: nowMs, endedAtMs: nowMs };
}

export function restartedBeforeStart(nowMs: number): Outcome {
  const message = 'the machine was restarted before the command was started';
  return { status: 'refused', message, startedAtMs: nowMs, endedAtMs: nowMs };
}

/** The capability of a worker that masks secrets in the output of commands. */
export const MASK = 'mask';

export function cannotMask(hello: Fields<'hello'>, nowMs: number): Outcome {
  const message = `it needs a secret, which ${hello.implementation} ${hello.version} cannot mask; upgrade the worker, or build it elsewhere`;
  return { status: 'refused', message: message.slice(0, 1_000), fault: 'worker', startedAtMs: nowMs, endedAtMs: nowMs };
}

/** What a worker has to have for an order, beyond what all have; undefined: nothing, or it has it. */
export function lacks(
  { kind }: CommandSpec,
  { worker, capabilities }: Fields<'hello'>,
  nowMs: number,
): Outcome | undefined {
  if (!NEWER.includes(kind) || capabilities.includes('files2')) return undefined;
  const message = `worker ${worker} is of a version that knows no "${kind}" (capability files2): bring it up to date`;
  return { status: 'refused', message: message.slice(0, 1_000), startedAtMs: nowMs, endedAtMs: nowMs };
}

export function sessionRefused(fields: Fields<'session.failed'>, nowMs: number): Outcome {
  const message = `the worker could not open the session (${fields.code}): ${fields.message}`.slice(0, 1_000);
  return { status: 'refused', message, fault: 'worker', startedAtMs: nowMs, endedAtMs: nowMs };
}

/** The worker kept sending output beyond the limit of the log. */
export function overran(
  { command, worker }: { readonly command: string; readonly worker: string },
  limitBytes: number,
  nowMs: number,
): Outcome {
  const message = `worker ${worker} sent more output of the command ${command} than the ${showSize(limitBytes)} that its log may have; its connection was ended`;
  return { status: 'unknown', message: message.slice(0, 1_000), startedAtMs: nowMs, endedAtMs: nowMs };
}
