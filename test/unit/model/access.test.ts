import { array, assert, constantFrom, option, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import { accessAfter, accessOf, mayControl, mayRead, unknownInAccess } from '../../../src/model/access.ts';
import type { Access } from '../../../src/model/access.ts';
import { ROLES, mayActAs } from '../../../src/model/principal.ts';

const names = array(constantFrom('ann', 'bob', 'cid'));
const access = option(record({ read: names, control: names }, { requiredKeys: [] }), { nil: undefined });
const person = record({ name: constantFrom('ann', 'bob', 'cid'), role: constantFrom(...ROLES) });

test('access narrows roles and never widens them; operators are never limited', () => {
  assert(
    property(person, access, (who, limits) => {
      const [reads, controls] = [mayRead(who, limits), mayControl(who, limits)];
      if (reads) expect(mayActAs(who.role, 'reader')).toBe(true);
      if (controls) expect([reads, mayActAs(who.role, 'developer')]).toEqual([true, true]);
      if (who.role === 'operator') expect(controls).toBe(true);
      if (limits === undefined)
        expect([reads, controls]).toEqual([who.role !== 'worker', mayActAs(who.role, 'developer')]);
    }),
  );
});

test.each<readonly [string, Access, readonly string[], readonly string[]]>([
  ['read', { read: ['ann'] }, ['ann'], ['ann']],
  ['control', { control: ['bob'] }, ['ann', 'bob', 'cid'], ['bob']],
  ['both', { read: ['ann'], control: ['bob'] }, ['ann', 'bob'], ['bob']],
  ['nobody', { read: [] }, [], []],
])('of three developers %s lets these in', (_what, limits, readers, controllers) => {
  const all = ['ann', 'bob', 'cid'].map((name) => ({ name, role: 'developer' }) as const);
  expect(all.filter((who) => mayRead(who, limits)).map(({ name }) => name)).toEqual(readers);
  expect(all.filter((who) => mayControl(who, limits)).map(({ name }) => name)).toEqual(controllers);
});

test('a project that is gone keeps its limits, one that names none has none', () => {
  const before = { gone: { read: ['ann'] }, freed: { read: ['ann'] }, changed: { read: ['ann'] } };
  const after = accessAfter(before, [
    { name: 'freed' },
    { name: 'changed', access: { control: ['bob'] } },
    { name: 'x' },
  ]);
  expect(after).toEqual({ gone: { read: ['ann'] }, changed: { control: ['bob'] } });
  expect(accessOf(after, 'constructor')).toBeUndefined();
});

test('names that are nobody’s are told once for each project', () => {
  const projects = [{ name: 'p', access: { read: ['ann', 'eve'], control: ['eve'] } }, { name: 'q' }];
  expect(unknownInAccess(projects, new Set(['ann']))).toEqual([expect.stringContaining('"p": access names eve')]);
});
