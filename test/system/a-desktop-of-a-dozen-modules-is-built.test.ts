import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { Desktop } from '../desktop/desktop.ts';
import { until } from '../support/until.ts';

/** By hand with all 200: `npm run desktop`. */
const A_DOZEN = 12;

let desktop: Desktop;

beforeAll(async () => {
  desktop = await Desktop.open(A_DOZEN);
});
afterAll(async () => {
  await desktop.farm.close();
});

/** What became of the two builds of each module; absent: it was not built, for want of what it stands on. */
function results(world: BuildView): ReadonlyMap<string, readonly (string | null)[]> {
  const found = new Map<string, (string | null)[]>();
  for (const { project, result } of world.children) found.set(project, [...(found.get(project) ?? []), result]);
  return found;
}

test('a dozen modules are built in the order of what they need, also over a kill of the master', async () => {
  const { farm } = desktop;
  const { id } = await desktop.force(1);
  await until('a few modules are being built', async () => (await farm.view(id)).children.length > 4);
  await desktop.killMaster();
  const world = await farm.finished(id);

  const built = results(world);
  const both = (result: string): readonly string[] => [result, result];
  for (const name of ['base-001', 'base-002', 'lib-003', 'lib-004', 'app-008']) {
    expect([name, built.get(name)]).toEqual([name, both('success')]);
  }
  expect(built.get('lib-005')).toEqual(both('warnings'));
  // It does not compile, so what stands on it is not begun.
  expect(built.get('service-006')).toEqual(both('failure'));
  expect(built.get('app-010')).toBeUndefined();
  expect(built.get('plugin-012')).toBeUndefined();
  expect(built.get('app-009')).toEqual(both('failure'));
  // One of its tests fails by chance, and is tried again once.
  const flaky = built.get('service-007') ?? [];
  expect(flaky).toHaveLength(2);
  expect(built.has('app-011')).toBe(flaky.every((result) => result === 'success'));
  // Nothing was begun twice by the kill.
  expect(world.children.length).toBe([...built.values()].flat().length);
  expect([...built.values()].every((pair) => pair.length === 2)).toBe(true);
  expect(world.result).toBe('failure');
  expect(world.summary).toContain('service-006, app-009, app-010');
});

test('a module that is mended is found by the poll, and built on what there is', async () => {
  const { farm } = desktop;
  await desktop.commit(
    'service-006',
    'src/part-1.c',
    (text) => text.replace('#include "not-there-yet.h"\n', ''),
    'Do without the new header',
  );
  const polled = await farm.ssh(['poll', 'service-006']);
  expect(polled.status).toBe(0);
  const made = await until('the mended module is built', async () => {
    const newest = await desktop.newest('service-006');
    return newest?.changes.length === 1 && newest.state === 'finished' ? newest : undefined;
  });
  expect([made.summary, made.result]).toEqual([null, 'success']);
  const kept = await farm.ssh(['artifacts', String(made.id)]);
  expect(kept.text).toContain('sdk.tar.gz');
  expect(made.changes[0]?.subject).toBe('Do without the new header');
});
