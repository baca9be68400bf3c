import winston from 'winston';
import { plain, plainLines } from './plain.ts';

/** What every part of the program logs with; fields are flat and hold no secret. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  readonly level?: LogLevel;
  /** Append JSON lines to this file, rotated at 16 MiB, five kept; otherwise plain text goes to stderr. */
  readonly file?: string;
}

/** Makes the process's logger. `end` flushes and closes its file. */
export function openLogger(options: LoggerOptions = {}): Logger & { end(): Promise<void> } {
  const { format, transports } = winston;
  const transport = options.file
    ? new transports.File({ filename: options.file, maxsize: 16 * 1024 * 1024, maxFiles: 5, tailable: true })
    : new transports.Console({ stderrLevels: ['debug', 'info', 'warn', 'error'] });
  const json = format.printf((entry) => plainLines(JSON.stringify(entry)));
  const text = format.printf(({ timestamp, level, message, ...fields }) => {
    const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
    // A terminal shows it, and the other side's words may be in it.
    return plain(`${String(timestamp)} ${level} ${String(message)}${rest}`);
  });
  const logger = winston.createLogger({
    level: options.level ?? 'info',
    format: format.combine(format.timestamp(), options.file ? json : text),
    transports: [transport],
  });
  return {
    debug: (message, fields) => void logger.debug(message, fields),
    info: (message, fields) => void logger.info(message, fields),
    warn: (message, fields) => void logger.warn(message, fields),
    error: (message, fields) => void logger.error(message, fields),
    end: () =>
      new Promise((resolve) => {
        transport.once('finish', resolve);
        logger.end();
      }),
  };
}

/** For tests and for parts that may run without a log. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
