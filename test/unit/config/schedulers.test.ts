import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import { diffShapes } from '../../../src/config/diff.ts';
import type { ConfigShape } from '../../../src/config/shape.ts';
import type { SchedulerShape } from '../../../src/config/scheduler-shape.ts';
import {
  after,
  anyBranch,
  builder,
  defineMaster,
  force,
  git,
  nightly,
  onChange,
  periodic,
  project,
  sh,
  tryBuilds,
  worker,
} from '../../../src/index.ts';

const builders = ['debian', 'fedora'].map((name) => builder(name, { workers: ['sid'], steps: [sh('make', 'make')] }));

function exported(schedulers: readonly unknown[], source: object = { source: git('/kate.git') }): unknown {
  return {
    ...defineMaster({ title: 'T', workers: [worker('sid')], projects: [] }),
    projects: [{ ...project('kate', { builders }), ...source, schedulers }],
  };
}

function mistakes(schedulers: readonly unknown[], source?: object): readonly string[] {
  const check = checkConfig('hash', exported(schedulers, source));
  return 'mistakes' in check ? check.mistakes : [];
}

function shape(hash: string, schedulers: readonly unknown[]): ConfigShape {
  const check = checkConfig(hash, exported(schedulers));
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  return check.shape;
}

function shapes(...schedulers: readonly unknown[]): readonly SchedulerShape[] {
  return shape('hash', schedulers).projects[0]?.schedulers ?? [];
}

const changesOf = (...branches: readonly string[]) => ({
  branch: { any: branches.map((is) => ({ is })), none: [] },
  hasFilter: false,
  hasFileIsImportant: false,
});
const all = { builders: ['debian', 'fedora'], properties: {}, priority: 0 };

test('a scheduler is called by its kind, and asks for builds of every builder of its project, unless it says otherwise', () => {
  expect(shapes(force(), tryBuilds(), onChange({ branch: 'main' }))).toEqual([
    { kind: 'force', name: 'force', ...all },
    { kind: 'try', name: 'try', ...all },
    { kind: 'onChange', name: 'onChange', filter: changesOf('main'), onlyImportant: false, ...all },
  ]);
  const own = { name: 'fast', builders: ['fedora', 'fedora'], properties: { a: [1, null] }, priority: -3 };
  expect(shapes(onChange({ ...own, branch: ['main', 'old'], reason: 'because' }))).toEqual([
    {
      kind: 'onChange',
      ...own,
      builders: ['fedora'],
      filter: changesOf('main', 'old'),
      onlyImportant: false,
      reason: 'because',
    },
  ]);
});

test('what goes by quiet, by the clock and after others has all that was left out', () => {
  const anyFilter = { hasFilter: false, hasFileIsImportant: false };
  const timed = { branch: 'main', filter: changesOf('main'), onlyIfChanged: false, onlyImportant: false, late: 'once' };
  expect(
    shapes(
      anyBranch({ quiet: '1m', quietAtMost: '1h', onlyImportant: true }),
      periodic('6h', { branch: 'main' }),
      nightly('0 3 * * *', {
        branch: 'main',
        zone: 'Europe/Berlin',
        onlyIfChanged: true,
        forceAt: '0 3 * * 0',
        late: 'skip',
      }),
      after('nightly'),
      after('kate/after', { name: 'last' }),
    ),
  ).toEqual([
    {
      kind: 'anyBranch',
      name: 'anyBranch',
      filter: anyFilter,
      quietMs: 60_000,
      quietAtMostMs: 3_600_000,
      onlyImportant: true,
      ...all,
    },
    { kind: 'periodic', name: 'periodic', everyMs: 21_600_000, ...timed, ...all },
    {
      kind: 'nightly',
      name: 'nightly',
      at: '0 3 * * *',
      forceAt: '0 3 * * 0',
      zone: 'Europe/Berlin',
      ...timed,
      onlyIfChanged: true,
      late: 'skip',
      ...all,
    },
    { kind: 'after', name: 'after', upstream: { project: 'kate', scheduler: 'nightly' }, ...all },
    { kind: 'after', name: 'last', upstream: { project: 'kate', scheduler: 'after' }, ...all },
  ]);
});

test('what an older bundle holds of schedulers is still read', () => {
  expect(shapes({ kind: 'force' }, { kind: 'onChange', branch: 'main' }, { kind: 'try' })).toHaveLength(3);
});

const PLACE = 'project "kate", scheduler';
test.each<[readonly unknown[], string]>([
  [[onChange({ branch: '' })], `${PLACE} 1, branch: write a text, a glob`],
  [[{ kind: 'onChange' }], `${PLACE} 1, branch: write a text, a glob`],
  [[onChange({ branch: [] })], `${PLACE} 1, branch: write a text, a glob`],
  [[onChange({ name: 'x', branch: 'refs/heads/main' })], `${PLACE} "x", branch: write the branch without refs/heads/`],
  [[{ ...force(), colour: 'red' }], `${PLACE} 1: unknown option colour`],
  [
    [{ kind: 'weekly' }],
    `${PLACE} 1: this is no scheduler: use onChange(), anyBranch(), periodic(), nightly(), after(), triggerable(), force() or tryBuilds()`,
  ],
  [[force({ name: '../x' })], `${PLACE} "../x", name: the name "../x" is not allowed`],
  [
    [force(), force({ builders: ['debian'] })],
    'project "kate": scheduler "force" is there twice; give one of them another name',
  ],
  [[force({ name: 'Onchange' }), onChange({ branch: 'main' })], 'project "kate": scheduler "onChange" is there twice'],
  [[force({ builders: ['hurd'] })], `${PLACE} "force": the project has no builder "hurd"`],
  [[force({ builders: [] })], `${PLACE} 1, builders: name at least one builder`],
  [[{ ...force(), properties: { a: undefined } }], `${PLACE} 1, properties, a: this is no JSON`],
  [[{ ...force(), properties: { a: () => 1 } }], `${PLACE} 1, properties, a: this is no JSON`],
  [[{ ...force(), properties: [1] }], `${PLACE} 1, properties: write { name: value }`],
  [[force({ properties: { '1 a': 1 } })], `${PLACE} 1, properties: a name of a property is letters`],
  [[force({ properties: { a: 'x'.repeat(70_000) } })], `${PLACE} 1, properties: the properties are longer`],
  [[force({ priority: 1.5 })], `${PLACE} 1, priority: write a whole number from -100 to 100`],
  [[force({ priority: 101 })], `${PLACE} 1, priority: write a whole number from -100 to 100`],
  [[onChange({ branch: 'main', reason: '' })], `${PLACE} 1, reason: write a text`],
  [[anyBranch({ quiet: 'a bit' })], `${PLACE} 1, quiet: "a bit" is no duration`],
  [[anyBranch({ quietAtMost: '1h' })], `${PLACE} "anyBranch": quietAtMost is no less than quiet, and goes with it`],
  [[anyBranch({ quiet: '1h', quietAtMost: '1m' })], `${PLACE} "anyBranch": quietAtMost is no less than quiet`],
  [[periodic('1ms')], `${PLACE} 1, every: write 1s or more`],
  [[periodic('1h', { branch: 'refs/heads/main' })], `${PLACE} 1, branch: write the branch without refs/heads/`],
  [[periodic('1h', { onlyIfChanged: true })], `${PLACE} "periodic": onlyIfChanged goes by a branch: name it`],
  [[nightly('0 0 31 2 *')], `${PLACE} "nightly": "0 0 31 2 *" never comes: there is no such day`],
  [[nightly("3 o'clock")], `${PLACE} "nightly": "3 o'clock" is no rule for times: write five fields`],
  [[nightly('0 3 * * *', { forceAt: '0 25 * * *' })], `${PLACE} "nightly": "0 25 * * *" is no rule for times`],
  [[nightly('0 3 * * *', { zone: 'Mars/Base' })], `${PLACE} "nightly": "Mars/Base" is no time zone`],
  [[nightly('0 3 * * *', { late: 'never' as 'skip' })], `${PLACE} 1, late: write late: 'once' or late: 'skip'`],
  [[after('nightly')], `${PLACE} "after": there is no scheduler "kate/nightly" to follow; correct the name`],
  [[after('kile/nightly')], `${PLACE} "after": there is no scheduler "kile/nightly" to follow`],
  [[after('')], `${PLACE} 1, upstream: name the scheduler that it follows`],
  [[tryBuilds(), after('try')], `${PLACE} "after": kate/try builds patches that are only tried: nothing can follow it`],
  [[after('after')], `${PLACE} "after": it follows itself: kate/after after kate/after`],
  [
    [after('b', { name: 'a' }), after('c', { name: 'b' }), after('a', { name: 'c' }), after('a', { name: 'd' })],
    `${PLACE} "a": it follows itself: kate/a after kate/b after kate/c after kate/a`,
  ],
])('a scheduler that cannot be is told with its place: %j', (schedulers, told) => {
  expect(mistakes(schedulers)).toEqual([expect.stringContaining(told)]);
});

test('a property that refers to itself, or is very deep, is told as what it is: no JSON', () => {
  const circle: Record<string, unknown> = {};
  circle['one'] = circle;
  circle['other'] = circle;
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n++) deep = [deep];
  for (const a of [circle, deep]) {
    const told = mistakes([{ ...force(), properties: { a } }]);
    expect(told).toEqual([expect.stringContaining(`${PLACE} 1, properties, a: this is no JSON`)]);
  }
});

test('what waits for changes needs a source', () => {
  expect(mistakes([onChange({ branch: 'main' })], {})).toEqual([
    `${PLACE} "onChange": it waits for changes, and the project has no source; give it git(url), or remove it`,
  ]);
});

test('a reload tells what it changes of schedulers', () => {
  const before = shape('1', [force(), onChange({ name: 'a', branch: 'main' })]);
  const after = shape('2', [tryBuilds(), onChange({ name: 'a', branch: 'main', priority: 2, reason: 'why' })]);
  expect(diffShapes(before, after)).toEqual([
    'project kate: scheduler force removed',
    'project kate: scheduler try added',
    'project kate: scheduler a: priority changed from 0 to 2',
    'project kate: scheduler a: reason changed from nothing to "why"',
  ]);
});
