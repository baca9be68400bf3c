import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { takeTestResults } from '../../../../src/master/builds/calls/test-results.ts';
import { fetchedPath, removeStaleFetched } from '../../../../src/master/files/fetched-file.ts';
import type { Store } from '../../../../src/store/store.ts';
import { TempStore, claimedBuild } from '../../../support/temp-store.ts';

/** One call over a file of so many cases, every third of which fails. */
async function tryCall(cases: number, redact = <T>(value: T): T => value) {
  const temp = await TempStore.make();
  onTestFinished(() => temp.remove());
  const store = await temp.open();
  const build = await claimedBuild(store);
  const filesDir = join(temp.dir, 'files');
  await mkdir(filesDir);
  const text = Array.from(
    { length: cases },
    (_, n) => `<testcase name="t${n}">${n % 3 ? '' : '<failure/>'}</testcase>`,
  );
  await writeFile(fetchedPath(filesDir, `${build.uid}.0.1.1`), `<testsuite>${text.join('')}</testsuite>`);
  const caller = { build, step: { index: 0, name: 'make' }, command: `${build.uid}.0.1`, revision: 'r', redact };
  const args = { format: 'junit', from: { files: [{ path: 'a.xml', call: '1.1' }] } } as const;
  const signal = new AbortController().signal;
  const take = (on: Store) =>
    takeTestResults({ store: on, clock: systemClock, folders: { filesDir } }, caller, args, signal);
  return { store, build, filesDir, take };
}

test('a call that was cut off in the middle and is made again keeps each result once', async () => {
  const { store, build, take } = await tryCall(9_000);
  let adds = 0;
  const dying: Store = Object.create(store, {
    tests: {
      value: Object.create(store.tests, {
        add: {
          value: async (...batch: Parameters<Store['tests']['add']>) => {
            if (++adds === 3) throw new Error('the master is killed here');
            await store.tests.add(...batch);
          },
        },
      }),
    },
  });
  await expect(take(dying)).rejects.toThrow('killed here');
  const kept = await store.tests.count(build.id, 'all', 0);
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(9_000);

  const counts = { passed: 6_000, failed: 3_000, errors: 0, skipped: 0 };
  for (const _ of [1, 2]) {
    const { answer, also } = await take(store);
    expect(answer).toEqual({ ok: { counts, newlyFailed: 0, leftOut: 0, problems: [] } });
    await also?.();
  }
  expect(await store.tests.count(build.id, 'all', 0)).toBe(9_000);
  expect(await store.tests.reports(build.id)).toMatchObject([{ counts, leftOut: 0, revision: 'r' }]);
});

test('a secret that a file of tests names is kept nowhere', async () => {
  const { store, build, take } = await tryCall(3, (value) => {
    const text = JSON.stringify(value).replaceAll('"t1"', '"**"');
    return JSON.parse(text) as typeof value;
  });
  await (await take(store)).also?.();
  const names = (await store.tests.list(build.id, { which: 'all', after: 0, limit: 10 })).map(({ name }) => name);
  expect(names.toSorted()).toEqual(['**', 't0', 't2']);
});

test('of a log that is read nothing lies about that a killed master would leave for ever', async () => {
  const { store, build, filesDir } = await tryCall(0);
  const id = `${build.uid}.0.2`;
  await store.commands.start({ id, buildId: build.id, step: 0, key: '2', kind: 'log', call: {} }, { name: 'tap' });
  const lying: string[] = [];
  const spied: Store = Object.create(store, {
    logs: {
      value: Object.create(store.logs, {
        read: {
          async *value() {
            lying.push(...(await readdir(filesDir)));
            yield Buffer.from('1..1\nok 1 - a\n');
          },
        },
      }),
    },
  });
  const caller = { build, step: { index: 0, name: 'make' }, command: `${build.uid}.0.3`, revision: undefined };
  const { answer } = await takeTestResults(
    { store: spied, clock: systemClock, folders: { filesDir } },
    { ...caller, redact: (value) => value },
    { format: 'tap', from: { log: 'tap' } },
    new AbortController().signal,
  );
  expect(answer).toMatchObject({ ok: { counts: { passed: 1 }, problems: [] } });
  expect(lying).toContain(basename(fetchedPath(filesDir, `${build.uid}.0.3`)));
  expect(await readdir(filesDir)).not.toContain(basename(fetchedPath(filesDir, `${build.uid}.0.3`)));
});

test('a file that a killed master has left is removed when its build is over, not before', async () => {
  const { store, build, filesDir } = await tryCall(1);
  const id = `${build.uid}.0.1.1`;
  await store.commands.start({ id, buildId: build.id, step: 0, key: '1.1', kind: 'get', call: {} });
  const isThere = async () => {
    await removeStaleFetched(filesDir, store);
    return (await readdir(filesDir)).length === 1;
  };
  expect(await isThere()).toBe(true);
  await store.builds.finish(build.id, 'success', undefined, 9);
  expect(await isThere()).toBe(false);
});
