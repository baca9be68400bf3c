import { parseArgs } from 'node:util';

export const FAULTS = ['kill', 'freeze', 'line', 'reload', 'stop', 'keeper', 'hold', 'rotate'] as const;
export type FaultKind = (typeof FAULTS)[number];

export interface ChaosOptions {
  readonly minutes: number;
  /** Ends it earlier, when so many builds are through. */
  readonly builds: number;
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  readonly asJson: boolean;
  /** Leaves the folder there also when all is well. */
  readonly keep: boolean;
}

export const USAGE = `npm run chaos -- [--minutes M] [--builds N] [--seed N] [--faults ${FAULTS.join(',')}] [--keep] [--json]`;

/** Undefined when the words are wrong. */
export function readOptions(words: readonly string[]): ChaosOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...words],
      options: {
        minutes: { type: 'string', default: '1' },
        builds: { type: 'string', default: 'Infinity' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        faults: { type: 'string', default: FAULTS.join(',') },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    const faults = values.faults.split(',').map((name) => FAULTS.find((known) => known === name));
    const [minutes, builds, seed] = [Number(values.minutes), Number(values.builds), Number(values.seed)];
    if (faults.includes(undefined) || !(minutes > 0) || !(builds > 0) || !Number.isSafeInteger(seed)) return undefined;
    return {
      minutes,
      builds,
      seed,
      faults: faults.filter((name) => name !== undefined),
      asJson: values.json,
      keep: values.keep,
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}
