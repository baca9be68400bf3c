import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkOf } from '../builder-functions.ts';
import { checkConfig } from '../check-config.ts';
import type { CheckFacts } from '../function-facts.ts';
import type { StepRun } from '../code-host.ts';
import type { CheckedBuilder, CheckedConfig, CheckedProject } from '../config-schema.ts';
import type { ConfigShape } from '../shape.ts';
import type { StepFunction } from '../step-context.ts';
import type { StepAsides } from './ask-aside.ts';
import { withReadAnswer } from './builder-answers.ts';
import { checkFunction } from './check-function.ts';
import { findFunction } from './find-function.ts';
import { inOneLine } from './step-error.ts';

type Loaded = { readonly shape: ConfigShape } | { readonly mistakes: readonly string[] };

/** The bundles that this thread has loaded. */
export class LoadedConfigs {
  readonly #configs = new Map<string, CheckedConfig>();

  async load(hash: string, bundle: Uint8Array): Promise<Loaded> {
    let check: ReturnType<typeof checkConfig>;
    try {
      // What it exports may throw when it is looked at.
      check = checkConfig(hash, await importBundle(hash, bundle));
    } catch (error) {
      return { mistakes: [`the configuration threw while it was loaded; correct it: ${inOneLine(error)}`] };
    }
    if ('mistakes' in check) return check;
    this.#configs.set(hash, check.config);
    return { shape: check.shape };
  }

  find(run: StepRun):
    | {
        readonly project: CheckedProject;
        readonly builder: CheckedBuilder;
        readonly fn: StepFunction;
        readonly asides: StepAsides;
      }
    | undefined {
    const project = this.#configs.get(run.configHash)?.projects.find(({ name }) => name === run.project);
    const builder = project?.builders.find(({ name }) => name === run.builder);
    const step = run.check ? undefined : builder?.steps[run.step];
    const fn = run.check ? checkOfBuilder(builder, run.check) : step?.run;
    return project && builder && fn && { project, builder, fn, asides: step ?? {} };
  }

  /** Another function than a step's; see `findFunction`. */
  findFunction(hash: string, place: string): ((...args: unknown[]) => unknown) | undefined {
    const config = this.#configs.get(hash);
    const fn = config && findFunction(config, place);
    return fn && withReadAnswer(config, place, fn);
  }
}

function checkOfBuilder(builder: CheckedBuilder | undefined, facts: CheckFacts): StepFunction | undefined {
  return builder?.canStartBuild && checkFunction(checkOf(builder.canStartBuild), facts);
}

/** From a file, because the stack of a `data:` module shows all of it; the file is needed for this moment only. */
async function importBundle(hash: string, bundle: Uint8Array): Promise<unknown> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-config-'));
  try {
    const file = join(folder, `${hash.slice(0, 16)}.mjs`);
    await writeFile(file, bundle, { mode: 0o600 });
    const loaded = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    return loaded.default;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
