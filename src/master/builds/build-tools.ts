import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Bus } from '../../bus/bus.ts';
import type { CodeHost } from '../../config/code-host.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { Store } from '../../store/store.ts';
import type { WorkerDesk } from '../link/desk.ts';
import type { SecretBook } from '../secrets/secret-book.ts';
import type { MasterFolders } from './worker-command.ts';

/** What running builds need of the master. */
export interface BuildTools {
  readonly store: Store;
  readonly bus: Bus;
  readonly desk: WorkerDesk;
  readonly codeHost: CodeHost;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folders: MasterFolders;
  readonly secretBook: SecretBook;
  /** The configuration that new builds are made from. */
  readonly config: () => ConfigShape;
}
