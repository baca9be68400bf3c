import type { Json, JsonObject } from '../../model/json.ts';
import type { StepConfig } from '../values.ts';
import { splitOptions } from './step.ts';
import type { StepOptions } from './step.ts';
import { resolve, runWanted } from './wanted.ts';
import type { CommandOptions, Wanted, WantedCommand } from './wanted.ts';

interface Named extends StepOptions {
  /** Another name for the step than its own. */
  readonly name?: string;
}

/** So many of the last bytes of what a command prints are looked at. */
const OUTPUT_BYTES = 256 * 1024;
const LONGEST_CHARACTER_BYTES = 4;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** `sh -c SCRIPT env NAME…`: those that are set, as `NAME=VALUE`, each ended by a NUL. The names are checked before. */
const ENV_SCRIPT = `
for name in "$@"; do
  eval "isset=\\\${$name+yes} value=\\\${$name-}"
  [ -z "$isset" ] || printf '%s=%s\\0' "$name" "$value"
done`;

/** Sets one property: to a value, or to what a function of the context makes. */
export function setProperty(property: string, value: Wanted<Json>, options: Named = {}): StepConfig {
  const [common, { name = `set ${property}` }] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'setProperty', property, value },
    run: async (ctx) => await ctx.setProperty(property, await resolve(ctx, value)),
  };
}

/** Sets several: those of an object, or of what a function of the context makes. */
export function setProperties(values: Wanted<JsonObject>, options: Named = {}): StepConfig {
  const [common, { name = 'set properties' }] = splitOptions(options);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'setProperties', values },
    run: async (ctx) => {
      for (const [property, value] of Object.entries(await resolve(ctx, values)))
        await ctx.setProperty(property, value);
    },
  };
}

interface FromCommandOptions extends Named, Omit<CommandOptions, 'capture'> {
  /** Without the white space around it; default true. */
  readonly strip?: boolean;
  /** What becomes of the output; undefined: the property is left as it is. Default: the output itself. */
  readonly extract?: (output: string) => Json | undefined;
}

/** Sets a property to what a command prints (stdout and stderr, the last 256 KiB). A command that fails fails the step. */
export function setPropertyFromCommand(
  property: string,
  command: WantedCommand,
  options: FromCommandOptions = {},
): StepConfig {
  const [common, own] = splitOptions(options);
  const { name = `set ${property}`, strip = true, extract, ...runOptions } = own;
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'setPropertyFromCommand', property, command, ...own },
    run: async (ctx) => {
      const { ok, summary, output } = await runWanted(ctx, command, { ...runOptions, capture: OUTPUT_BYTES });
      if (!ok) return { result: 'failure', summary };
      const text = strip ? output.trim() : output;
      const value = extract ? extract(text) : text;
      if (value !== undefined) await ctx.setProperty(property, value);
      return undefined;
    },
  };
}

/** Sets properties to variables of the worker's environment, under the same names; one that is not set there is left as it is. */
export function setPropertiesFromEnv(variables: readonly string[], options: Named = {}): StepConfig {
  const [common, { name = 'set properties from environment' }] = splitOptions(options);
  const odd = variables.find((variable) => !VARIABLE.test(variable));
  if (odd !== undefined) throw new TypeError(`${JSON.stringify(odd)} is no name of an environment variable`);
  return {
    kind: 'step',
    name,
    ...common,
    made: { of: 'setPropertiesFromEnv', variables },
    run: async (ctx) => {
      const words = ['/bin/sh', '-c', ENV_SCRIPT, 'env', ...variables];
      const { ok, summary, output } = await ctx.run(words, { capture: OUTPUT_BYTES });
      if (!ok) return { result: 'failure', summary };
      // Of what is longer the begin is not there, without the rest of a character; what is left of a variable may look like another.
      if (Buffer.byteLength(output) > OUTPUT_BYTES - LONGEST_CHARACTER_BYTES) {
        ctx.fail(`${variables.join(', ')} have more than ${OUTPUT_BYTES} bytes; take fewer at a time`);
      }
      for (const line of output.split('\0')) {
        const end = line.indexOf('=');
        if (end > 0) await ctx.setProperty(line.slice(0, end), line.slice(end + 1));
      }
      return undefined;
    },
  };
}
