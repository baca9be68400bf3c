import type { CheckedLabels, CheckedWorkers } from './worker-schema.ts';

type WantedLabels = Exclude<CheckedWorkers, readonly string[]>['labels'];
type Labels = Readonly<Record<string, string>>;

interface Labelled {
  readonly name: string;
  readonly labels?: CheckedLabels | undefined;
}

/** A label without a value has this one. */
const SET = 'true';

/** Labels with their values; one from a list has the value `true`. */
export function labelsOf(labels: CheckedLabels | undefined): Labels {
  if (!Array.isArray(labels)) return labels ?? {};
  return Object.fromEntries(labels.map((name) => [name, SET]));
}

/**
 * The names of the workers that a builder asks for, in the order of the configuration after those it names itself: all that it
 * names, and all that have each of its labels and none of what is in `not`.
 */
export function selectWorkers(wanted: CheckedWorkers, workers: readonly Labelled[]): readonly string[] {
  if (Array.isArray(wanted)) return [...new Set(wanted)];
  const { names = [], labels, not } = wanted;
  if (labels === undefined && not === undefined) return [...new Set(names)];
  const isWanted = ({ labels: own }: Labelled): boolean => {
    const has = labelsOf(own);
    return pairs(labels).every((one) => fits(has, one)) && !pairs(not).some((one) => fits(has, one));
  };
  return [...new Set([...names, ...workers.filter(isWanted).map(({ name }) => name)])];
}

/** The names that were written, which must be known. */
export function writtenNames(wanted: CheckedWorkers): readonly string[] {
  return Array.isArray(wanted) ? wanted : (wanted.names ?? []);
}

/** What was asked for, for people: `os=debian, not arch=arm64`. */
export function showSelector(wanted: CheckedWorkers): string {
  if (Array.isArray(wanted)) return wanted.join(', ');
  const show = (before: string, labels: WantedLabels): string[] =>
    pairs(labels).map(([name, values]) => `${before}${name}=${values.join('|')}`);
  return [...(wanted.names ?? []), ...show('', wanted.labels), ...show('not ', wanted.not)].join(', ');
}

function pairs(labels: WantedLabels): (readonly [string, readonly string[]])[] {
  if (labels === undefined) return [];
  if (Array.isArray(labels)) return labels.map((name) => [name, [SET]]);
  return Object.entries(labels).map(([name, value]) => [name, Array.isArray(value) ? value : [value]]);
}

function fits(has: Labels, [name, values]: readonly [string, readonly string[]]): boolean {
  const value = Object.hasOwn(has, name) ? has[name] : undefined;
  return value !== undefined && values.includes(value);
}
