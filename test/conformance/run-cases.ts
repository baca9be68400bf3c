import { errorText } from '../../src/base/errors.ts';
import { Breach } from './breach.ts';
import type { Case } from './case.ts';
import { Stage } from './stage.ts';
import type { StageOptions } from './stage.ts';

export interface Result {
  readonly id: string;
  readonly isOk: boolean;
  /** `ok  C07 …` or `FAIL C07 …`, one line. */
  readonly line: string;
}

export interface RunOptions extends StageOptions {
  /** So many cases at a time. */
  readonly jobs: number;
  /** In the order of the cases. */
  readonly onResult?: (result: Result) => void;
}

/** Plays the cases, some side by side: each has a server, a folder and a worker of its own. */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  let told = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < cases.length; at = next++) {
      const one = cases[at];
      if (!one) return;
      results[at] = await runCase(one, options);
      for (let done = results[told]; done; done = results[++told]) options.onResult?.(done);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return results;
}

export async function runCase({ id, rule, section, run }: Case, options: StageOptions): Promise<Result> {
  const named = `${id} ${rule} (section ${section})`;
  const failed = (error: unknown): Result => {
    const why = error instanceof Breach ? error.message : `the suite failed: ${errorText(error)}`;
    return { id, isOk: false, line: `FAIL ${named}: ${why.replaceAll('\n', ' ')}` };
  };
  let stage: Stage | undefined;
  try {
    stage = await Stage.open(options);
    await run(stage);
    return { id, isOk: true, line: `ok   ${named}` };
  } catch (error) {
    return failed(error);
  } finally {
    await stage?.close();
  }
}
