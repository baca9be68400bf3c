import type { z } from 'zod';
import type { Json, JsonObject } from '../../model/json.ts';
import type { CheckedBuilder, CheckedConfig } from '../config-schema.ts';
import { issueText } from '../issue-text.ts';
import { ownLockMistakes } from '../lock-mistakes.ts';
import { accessShapes } from '../lock-shapes.ts';
import { envSchema } from '../secrets/schema.ts';
import { locksSchema } from '../lock-schema.ts';

type Read = (builder: CheckedBuilder, config: CheckedConfig, answer: unknown) => Json;

/** How the answers of those functions of a builder are read that say a part of its configuration. */
const READ: Readonly<Record<string, Read>> = {
  locks(builder, config, answer) {
    const locks = parsed(locksSchema, answer);
    const mistakes = ownLockMistakes(builder, locks, config);
    if (mistakes.length > 0) throw new TypeError(mistakes.join('; '));
    return accessShapes(locks).map((access) => ({ ...access }));
  },
  env: (_builder, _config, answer) => parsed(envSchema, answer) as JsonObject,
};

/** The function at `project P/builder B/KEY` with its answer checked, and as the master knows such a part; any other as it is. */
export function withReadAnswer(
  config: CheckedConfig,
  place: string,
  fn: (...args: unknown[]) => unknown,
): (...args: unknown[]) => unknown {
  const [, project, name, key = ''] = /^project ([^/]+)\/builder ([^/]+)\/([^/]+)$/.exec(place) ?? [];
  const read = Object.hasOwn(READ, key) ? READ[key] : undefined;
  const builder = config.projects.find((one) => one.name === project)?.builders.find((one) => one.name === name);
  if (!read || !builder) return fn;
  return async (...args) => read(builder, config, await fn(...args));
}

function parsed<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  const told = result.error.issues.map((issue) => [...issue.path.map(String), issueText(issue)].join(': '));
  throw new TypeError(told.join('; '));
}
