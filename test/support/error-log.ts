import type { Logger } from '../../src/base/logger.ts';
import { silentLogger } from '../../src/base/logger.ts';

/** Keeps what is logged as an error: nothing that a line does to us is one. */
export class ErrorLog {
  readonly errors: string[] = [];
  readonly logger: Logger = {
    ...silentLogger,
    error: (message, fields) => void this.errors.push(`${message} ${JSON.stringify(fields ?? {})}`),
  };
}
