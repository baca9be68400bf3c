import type { Logger } from '../base/logger.ts';
import type { Leaving } from './leaving.ts';
import { goodbyeOf } from './link/connect.ts';
import { endAllCommands } from './link/end-all.ts';
import type { WorkerParts } from './link/worker-parts.ts';

/** Of a daemon that the master has sent away: a supervisor is not to start it again (`RestartPreventExitStatus` of the unit). */
export const SENT_AWAY_STATUS = 79;

/** The daemon is to end: with success when that is what it was started for, otherwise with a line and a status. */
type SentAway = { readonly message: string; readonly exitStatus: number } | { readonly message: string };

/**
 * Does what a goodbye of the master asks for; undefined when the daemon is to come back. `why` is a link's end, or an error of the
 * greeting; `close` keeps what is still to be started from being so.
 */
export async function heedGoodbye(
  why: unknown,
  {
    parts,
    dir,
    logger,
    leaving,
  }: {
    readonly parts: WorkerParts;
    readonly dir: { readonly name: string };
    readonly logger: Logger;
    readonly leaving: Leaving;
  },
  close: () => Promise<void>,
): Promise<SentAway | undefined> {
  const { code, message } = goodbyeOf(why) ?? {};
  const again = `to let it in again: worker add ${dir.name}`;
  if (code === 'revoked' || code === 'retired') {
    await close();
    const count = await endAllCommands(parts);
    logger.warn(`the master has ${code} this worker: ending ${count} commands; ${again}`);
  }
  if (code !== 'left' && code !== 'retired') return undefined;
  const isAsStarted = code === 'left' && leaving.isAsStarted;
  await leaving.over();
  const told = `the master has let this worker go (${code}): ${message}`;
  if (!isAsStarted) {
    const next = code === 'left' ? 'start it again when it is to build again' : again;
    return { message: `${told}; ${next}`, exitStatus: SENT_AWAY_STATUS };
  }
  logger.info(told);
  return { message: told };
}
