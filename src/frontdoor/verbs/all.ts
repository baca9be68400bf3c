import type { Verb } from '../verb.ts';
import { approveBuild } from './approve-build.ts';
import { artifactGet, artifacts } from './artifacts.ts';
import { audit } from './audit.ts';
import { build } from './build.ts';
import { builders } from './builders.ts';
import { builds } from './builds.ts';
import { complete } from './complete.ts';
import { changes } from './changes.ts';
import { force } from './force.ts';
import { locks } from './locks.ts';
import { log } from './log.ts';
import { login } from './login.ts';
import { outbox, outboxDrop, outboxRetry } from './outbox.ts';
import { parameters } from './parameters.ts';
import { poll } from './poll.ts';
import { queue } from './queue.ts';
import { rebuild } from './rebuild.ts';
import { schedulerDisable, schedulerEnable, schedulers } from './schedulers.ts';
import { sendchange } from './sendchange.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { tests } from './tests.ts';
import { tryVerb } from './try.ts';
import { workerApprove, workerKnocks } from './worker-approve.ts';
import { workerInvitations, workerInvite, workerUninvite } from './worker-invite.ts';
import { workerRotate } from './worker-rotate.ts';
import { tokenAdd, tokenList, tokenRevoke } from './token.ts';
import { workerDrain, workerPause, workerResume, workerRetire } from './worker-hold.ts';
import { workerShow } from './worker-show.ts';
import { workerAdd, workerRevoke, workers } from './workers.ts';
import { why } from './why.ts';

/** Every verb, in the order of `help`. */
export const VERBS: readonly Verb[] = [
  status,
  queue,
  why,
  locks,
  builders,
  builds,
  build,
  tests,
  changes,
  artifacts,
  artifactGet,
  log,
  force,
  parameters,
  tryVerb,
  rebuild,
  sendchange,
  poll,
  schedulers,
  schedulerEnable,
  schedulerDisable,
  stop,
  approveBuild,
  workers,
  workerShow,
  workerInvite,
  workerInvitations,
  workerUninvite,
  workerKnocks,
  workerApprove,
  workerAdd,
  workerPause,
  workerResume,
  workerDrain,
  workerRetire,
  workerRevoke,
  workerRotate,
  login,
  tokenAdd,
  tokenList,
  tokenRevoke,
  // The first that fits is taken: what begins with another's name stands before it.
  outboxRetry,
  outboxDrop,
  outbox,
  audit,
  complete,
];
