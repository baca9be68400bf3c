import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import type { ProjectConfig } from '../../../src/config/values.ts';
import { builder, defineMaster, force, project, trigger, triggerable, worker } from '../../../src/index.ts';

function mistakes(...projects: readonly ProjectConfig[]): readonly string[] {
  const check = checkConfig('c0ffee', defineMaster({ title: 'T', workers: [worker('w')], projects }));
  return 'mistakes' in check ? check.mistakes : [];
}

/** A builder that triggers schedulers. */
const asks = (name: string, ...schedulers: readonly string[]) =>
  builder(name, { workers: ['w'], steps: [trigger('t', { schedulers })] });

test('a trigger names a triggerable scheduler that is there, of the own project or of another one', () => {
  expect(
    mistakes(
      project('p', {
        builders: [asks('a', 'b', 'q/c'), asks('b', 'q/c')],
        schedulers: [triggerable('b', { builders: ['b'] })],
      }),
      project('q', {
        builders: [asks('c', 'gone', 'p/force', 'nowhere/x'), asks('d', 'c')],
        schedulers: [triggerable('c', { builders: ['c'] }), force()],
      }),
    ),
  ).toEqual([
    'project "q", builder "c", step "t": there is no triggerable("gone") in project "q"; add it, or correct the name',
    'project "q", builder "c", step "t": there is no triggerable("force") in project "p"; add it, or correct the name',
    'project "q", builder "c", step "t": there is no triggerable("x") in project "nowhere"; add it, or correct the name',
  ]);
});

test('triggers that come back to their builder are refused with the way', () => {
  expect(
    mistakes(
      project('p', {
        builders: [asks('a', 'b'), asks('b', 'q/all'), asks('self', 'self')],
        schedulers: ['b', 'self']
          .map((name) => triggerable(name, { builders: [name] }))
          .concat(triggerable('a', { builders: ['a'] })),
      }),
      // All builders of the project, when none is named.
      project('q', { builders: [asks('c', 'p/a'), asks('d', 'p/b')], schedulers: [triggerable('all')] }),
    ),
  ).toEqual([
    'the triggers of builder p/a come back to it: p/a → p/b → q/c → p/a; take one of them out',
    'the triggers of builder p/b come back to it: p/b → q/d → p/b; take one of them out',
    'the triggers of builder p/self come back to it: p/self → p/self; take one of them out',
  ]);
});

test('a trigger of nothing, and a result that cannot come, are refused', () => {
  const given = { schedulers: ['b'], unimportant: ['b', 'c'] };
  const builders = [asks('a'), builder('b', { workers: ['w'], steps: [trigger('t', given)] })];
  expect(mistakes(project('p', { builders, schedulers: [triggerable('b', { builders: ['a'] })] }))).toEqual([
    'project "p", builder "a", step "t": name the triggerable schedulers: schedulers: [\'parts\']',
    'project "p", builder "b", step "t": unimportant names "c", which is not triggered',
  ]);
});

test('a triggerable scheduler has a name', () => {
  const wrong = project('p', { builders: [asks('a')], schedulers: [{ kind: 'triggerable' } as never] });
  expect(mistakes(wrong)).toEqual(['project "p", scheduler 1, name: give it a name']);
});
