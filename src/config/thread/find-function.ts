import type { CheckedConfig } from '../config-schema.ts';

type Holder = Readonly<Record<string, unknown>>;

/** Lists of a configuration whose items have names, by the noun that a place calls one of them. */
const LISTS: Readonly<Record<string, string>> = {
  project: 'projects',
  builder: 'builders',
  scheduler: 'schedulers',
  worker: 'workers',
};

/**
 * The function at a place such as `project kate/builder debian/nextWorker`: items by their names, then keys. An item without a
 * name is called by its kind.
 */
export function findFunction(config: CheckedConfig, place: string): ((...args: unknown[]) => unknown) | undefined {
  let holder: unknown;
  let value: unknown = config;
  for (const part of place.split('/')) {
    holder = value;
    const [noun = '', name] = part.split(' ');
    value = name === undefined ? own(value, noun) : itemOf(own(value, LISTS[noun] ?? ''), name);
  }
  if (typeof value !== 'function') return undefined;
  return (...args) => Reflect.apply(value, holder, args) as unknown;
}

function itemOf(list: unknown, name: string): unknown {
  if (!Array.isArray(list)) return undefined;
  return list.find((item: unknown) => (own(item, 'name') ?? own(item, 'kind')) === name);
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Holder)[key];
}
