import type { JsonObject } from './json.ts';
import { isName } from './names.ts';

/** What a build is shown as besides its builder, by its properties. */
export interface VirtualBuilder {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly string[];
}

/** What all virtual builders are found by. */
export const VIRTUAL_TAG = '_virtual_';

const DESCRIPTION_CHARACTERS = 10_000;
const TAGS_MAX = 50;
const TAG_CHARACTERS = 64;

/**
 * By `virtual_builder_name`, `virtual_builder_description` and `virtual_builder_tags`; undefined when there is no such name, or it is
 * none that a builder may have. What is too long of the others, or of another kind, is cut or left out: it decides nothing.
 */
export function virtualBuilderOf(properties: JsonObject): VirtualBuilder | undefined {
  const name = properties['virtual_builder_name'];
  const description = properties['virtual_builder_description'];
  const tags = properties['virtual_builder_tags'];
  if (typeof name !== 'string' || !isName(name)) return undefined;
  return {
    name,
    ...(typeof description === 'string' && { description: description.slice(0, DESCRIPTION_CHARACTERS) }),
    tags: Array.isArray(tags) ? tags.filter(isTag).slice(0, TAGS_MAX) : [],
  };
}

function isTag(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= TAG_CHARACTERS;
}
