import { expect, it } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import { builder, defineMaster, onChange, force, git, project, sh, worker } from '../../../src/index.ts';
import { requestRules } from '../../../src/config/request-shapes.ts';
import type { ConfigShape } from '../../../src/config/shape.ts';

type Named = readonly [
  string,
  Partial<Parameters<typeof project>[1]>,
  (Partial<Parameters<typeof builder>[1]> | object)?,
];

function master(...projects: readonly Named[]) {
  return checkConfig(
    'hash',
    defineMaster({
      title: 't',
      workers: [worker('w')],
      projects: projects.map(([name, own, ofBuilder = {}]) =>
        project(name, {
          source: git('/x'),
          builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')], ...ofBuilder })],
          ...own,
        }),
      ),
    }),
  );
}

function shapeOf(...projects: readonly Named[]): ConfigShape {
  const checked = master(...projects);
  if ('mistakes' in checked) throw new Error(checked.mistakes.join('\n'));
  return checked.shape;
}

function mistakes(...projects: readonly Named[]): readonly string[] {
  const checked = master(...projects);
  return 'mistakes' in checked ? checked.mistakes : [];
}

it('has no rules of builders where nothing is said', () => {
  const shape = shapeOf(['p', { schedulers: [force()] }]);
  expect(requestRules(shape)).toEqual([
    { noun: 'scheduler', project: 'p', name: 'force', rules: { origin: 'person', cancelsRest: false } },
  ]);
  expect(shape.projects[0]?.builders[0]).not.toHaveProperty('retry');
});

it('takes what a builder says before what its project says, and what a scheduler says before both', () => {
  const schedulers = [
    onChange({ branch: 'main' }),
    onChange({ name: 'next', branch: 'next', cancelRestOnFailure: false, queueFor: '1m' }),
  ];
  const shape = shapeOf(
    ['p', { cancelSuperseded: true, cancelRestOnFailure: true, schedulers }, { collapse: true, queueFor: '2h' }],
    [
      'q',
      { cancelSuperseded: { running: true }, dependsOn: ['p'], whenUpstreamFails: 'skip' },
      { cancelSuperseded: false },
    ],
  );
  expect(requestRules(shape).map(({ project: of, name, rules }) => [of, name, rules])).toEqual([
    ['p', 'b', { collapses: true, supersedes: 'waiting', queueForMs: 7_200_000, upstreams: [], needsUpstreams: false }],
    ['p', 'onChange', { origin: 'change', cancelsRest: true }],
    ['p', 'next', { origin: 'change', cancelsRest: false, queueForMs: 60_000 }],
    ['q', 'b', { collapses: false, supersedes: 'never', upstreams: ['p'], needsUpstreams: true }],
  ]);
});

it('completes the limits of retries', () => {
  const { retry } = shapeOf(['p', {}, { retry: { failure: 2, pause: '30s' } }]).projects[0]!.builders[0]!;
  expect(retry).toEqual({ lost: 9, exception: 0, failure: 2, pauseMs: 30_000 });
});

it('leaves a collapse that is a function to that, and sees when it changes', () => {
  const collapseOf = (collapse: () => boolean) => shapeOf(['p', {}, { collapse }]).projects[0]!.builders[0]!.collapse;
  const [one, other] = [collapseOf(() => true), collapseOf(() => false)];
  expect(one).toEqual({ function: expect.stringMatching(/^[0-9a-f]{16}$/) });
  expect(other).not.toEqual(one);
  expect(requestRules(shapeOf(['p', {}, { collapse: () => true }]))).toEqual([]);
});

it('refuses a ring of projects that depend on each other, naming it, and projects that are not there', () => {
  expect(
    mistakes(['a', { dependsOn: ['b'] }], ['b', { dependsOn: ['c'] }], ['c', { dependsOn: ['b', 'gone'] }]),
  ).toEqual([
    'project "b": dependsOn goes round in a ring, so that none could begin: project "b" depends on "c" depends on "b"; remove one',
    'project "c": dependsOn names "gone", and there is no such project; correct the name',
  ]);
  expect(mistakes(['a', { dependsOn: ['a'] }])).toHaveLength(1);
  expect(mistakes(['a', { dependsOn: ['c', 'b'] }], ['b', { dependsOn: ['c'] }], ['c', {}])).toEqual([]);
});

const WRONG: readonly (readonly [object, string])[] = [
  [{ collapse: 'yes' }, 'write collapse: true, or a function (older, newer) => boolean'],
  [{ cancelSuperseded: { waiting: true } }, 'write cancelSuperseded: true, or { running: true }'],
  [{ retry: { failure: -1 } }, "write retry: { lost: 3, exception: 1, failure: 0, pause: '30s' }"],
  [{ retry: { failure: 100 } }, 'with 0 to 99 retries'],
  [{ retry: { pause: 'soon' } }, '"soon" is no duration'],
  [{ queueFor: 7_200 }, "write a time like '500ms'"],
];
it.each(WRONG)('says what is wrong with %j', (options, text) => {
  const [told, ...more] = mistakes(['p', {}, options]);
  expect(told).toMatch(/^project "p", builder "b", /);
  expect(told).toContain(text);
  expect(more).toEqual([]);
});
