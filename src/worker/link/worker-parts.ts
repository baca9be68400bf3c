import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Commands } from '../commands/commands.ts';
import type { Leavers } from '../commands/leavers.ts';
import type { Evictor } from '../eviction/evictor.ts';
import type { SecretFiles } from '../files/secret-files.ts';
import type { Keeper } from '../keeper/keeper.ts';
import type { ChunkBudget } from '../logs/chunk-budget.ts';
import type { SessionBook } from '../session-book.ts';
import type { KeyedQueue } from './keyed-queue.ts';

/** What outlives links. */
export interface WorkerParts {
  readonly sessions: SessionBook;
  readonly commands: Commands;
  readonly secretFiles: SecretFiles;
  readonly leavers: Leavers;
  readonly keeper: Keeper;
  readonly evictor: Evictor;
  readonly budget: ChunkBudget;
  /** Orders of one session, and of one command, are carried out one after the other, whatever link they came by. */
  readonly orders: KeyedQueue;
  readonly workDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
}
