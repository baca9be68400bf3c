import { errorText } from '../../src/base/errors.ts';
import { Breach } from './breach.ts';
import type { Case } from './case.ts';
import { NoProgram } from './program.ts';
import { Site } from './site.ts';
import type { SiteOptions } from './site.ts';
import { Stage } from './stage.ts';

export interface Result {
  readonly id: string;
  readonly isOk: boolean;
  /** `ok  C07 …` or `FAIL C07 …`, one line. */
  readonly line: string;
}

export interface RunOptions extends SiteOptions {
  /** So many cases at a time. */
  readonly jobs: number;
  /** In the order of the cases. */
  readonly onResult?: (result: Result) => void;
}

/** Plays the cases, some side by side, each of these at a site of its own. A case that fails leaves its site to nobody. Rejects with NoProgram when there is nothing to test. */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<readonly Result[]> {
  const results: Result[] = [];
  let next = 0;
  let told = 0;
  const work = async (): Promise<void> => {
    let site: Site | undefined;
    try {
      for (let at = next++; at < cases.length; at = next++) {
        const one = cases[at];
        if (!one) return;
        const played = await playCase(one, options, site);
        site = played.site;
        results[at] = played.result;
        for (let done = results[told]; done; done = results[++told]) options.onResult?.(done);
      }
    } finally {
      await site?.close();
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  return results;
}

/** Alone, at a site of its own. */
export async function runCase(one: Case, options: SiteOptions): Promise<Result> {
  const { result, site } = await playCase(one, options);
  await site?.close();
  return result;
}

interface Played {
  readonly result: Result;
  /** For the next case. */
  readonly site: Site | undefined;
}

async function playCase({ id, rule, section, run }: Case, options: SiteOptions, used?: Site): Promise<Played> {
  const named = `${id} ${rule} (section ${section})`;
  let site: Site | undefined;
  try {
    site = (await tidied(used)) ?? (await Site.open(options));
    await run(new Stage(site));
    return { result: { id, isOk: true, line: `ok   ${named}` }, site };
  } catch (error) {
    await site?.close();
    if (error instanceof NoProgram) throw error;
    const why = error instanceof Breach ? error.message : `the suite failed: ${errorText(error)}`;
    return { result: { id, isOk: false, line: `FAIL ${named}: ${why.replaceAll('\n', ' ')}` }, site: undefined };
  }
}

async function tidied(site: Site | undefined): Promise<Site | undefined> {
  let isTidy = false;
  try {
    isTidy = (await site?.tidy()) ?? false;
  } finally {
    if (!isTidy) await site?.close();
  }
  return isTidy ? site : undefined;
}
