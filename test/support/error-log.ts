import type { Logger } from '../../src/base/logger.ts';

/** Keeps what is logged as an error: nothing that a line does to us is one. The rest goes to `told`, for whoever looks for why. */
export class ErrorLog {
  readonly errors: string[] = [];
  readonly logger: Logger;

  constructor(told: (line: string) => void = () => undefined) {
    const tell = (message: string, fields?: Record<string, unknown>): void =>
      told(`${message} ${JSON.stringify(fields ?? {})}`);
    this.logger = {
      debug: () => undefined,
      info: tell,
      warn: tell,
      error: (message, fields) => {
        tell(message, fields);
        this.errors.push(`${message} ${JSON.stringify(fields ?? {})}`);
      },
    };
  }
}
