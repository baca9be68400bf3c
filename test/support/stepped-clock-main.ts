import { readFileSync } from 'node:fs';
import { errorCode } from '../../src/base/errors.ts';

/**
 * Loaded ahead of a daemon's program (`node --import`), and so of its keepers: its wall clock is off by as many milliseconds as
 * the file `STEPPED_CLOCK` says, a keeper's as `STEPPED_CLOCK.keeper` says. No file, no step. Monotonic time is left alone, as
 * by a step of the real clock.
 */
const isKeeper = process.argv[1]?.endsWith('keeper-main.js') ?? false;
const file = `${process.env['STEPPED_CLOCK'] ?? ''}${isKeeper ? '.keeper' : ''}`;
const RealDate = Date;

function offMs(): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

class SteppedDate extends RealDate {
  constructor(...args: readonly unknown[]) {
    super(...((args.length === 0 ? [SteppedDate.now()] : args) as ConstructorParameters<typeof Date>));
  }

  static override now(): number {
    return RealDate.now() + offMs();
  }
}

globalThis.Date = SteppedDate as DateConstructor;
