import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { expect, it } from 'vitest';
import { BUILDER_RULES } from '../../../src/model/request-rules.ts';
import type { RequestRule } from '../../../src/model/request-rules.ts';
import type { Result } from '../../../src/model/result.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { SEED } from '../../support/seed.ts';
import { buildSet, claimOf } from '../../support/temp-store.ts';

// TRUNKLINE_RUNS=N plays so many lives, TRUNKLINE_SEED=N other ones.
const REPOSITORY = 'https://git.example.org/x.git';
const RETRY = { lost: 1, exception: 1, failure: 1, pauseMs: 0 };
/** The rules of project `N-up`, and of `N-down` that depends on it. */
const PROJECTS = ['up', 'down'] as const;

const OPERATIONS = [
  'change',
  'change',
  'change',
  'force',
  'claim',
  'claim',
  'finish',
  'finish',
  'cancel',
  'stop',
  'give up',
] as const;
const operation = record({
  what: constantFrom(...OPERATIONS),
  project: constantFrom(...PROJECTS),
  builder: constantFrom('b', 'c'),
  branch: constantFrom('main', 'next'),
  result: constantFrom<Result>('success', 'warnings', 'failure', 'exception', 'retry', 'cancelled'),
  which: nat(),
});
const rules = record({
  collapses: constantFrom(true, false),
  supersedes: constantFrom('never', 'waiting', 'running'),
  needsUpstreams: constantFrom(true, false),
  cancelsRest: constantFrom(true, false),
});

eachStore('requests under all rules at once', (current) => {
  it('end once each, wait for nothing that has ended, and leave nothing behind', async () => {
    const { store } = current;
    await store.configs.put({ hash: 'c0ffee', bundle: new Uint8Array(), atMs: 1 });
    const ended: number[] = [];
    store.onAside((aside) => aside.kind === 'ended' && ended.push(aside.requestId));
    let run = 0;
    await assert(
      asyncProperty(rules, array(operation, { minLength: 5, maxLength: 40 }), async (given, operations) => {
        const name = (project: string): string => `${run}-${project}`;
        run += 1;
        ended.length = 0;
        await store.configs.activate('c0ffee', {}, rulesOf(given, name));
        const all: number[] = [];
        for (const [at, one] of operations.entries()) await perform(store, one, name, at, all);
        await drain(store, all);
        expect(await store.requests.pending()).toEqual([]);
        expect(await store.builds.running()).toEqual([]);
        expect(await store.requests.upstreams()).toEqual(new Map());
        expect((await store.workers.seats()).filter(({ buildId }) => buildId !== undefined)).toEqual([]);
        const found = await Promise.all(all.map((id) => store.requests.find(id)));
        for (const request of found) {
          expect(request).toMatchObject({ state: 'finished', result: expect.any(String) });
          // What took its place has itself not been given away.
          if (request?.collapsedInto === undefined) continue;
          expect(await store.requests.find(request.collapsedInto)).not.toHaveProperty('collapsedInto');
        }
        // Told in a turn of its own.
        await new Promise<void>((done) => setImmediate(done));
        expect(ended.toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b));
      }),
      { seed: SEED, numRuns: Number(process.env['TRUNKLINE_RUNS'] ?? 20) },
    );
  });
});

type Operation = typeof operation extends { generate: (...args: never) => { readonly value: infer T } } ? T : never;

function rulesOf(
  {
    cancelsRest,
    ...own
  }: {
    readonly collapses: boolean;
    readonly supersedes: 'never' | 'waiting' | 'running';
    readonly needsUpstreams: boolean;
    readonly cancelsRest: boolean;
  },
  name: (project: string) => string,
): readonly RequestRule[] {
  return PROJECTS.flatMap((project): readonly RequestRule[] => [
    ...['b', 'c'].map((builder): RequestRule => ({
      noun: 'builder',
      project: name(project),
      name: builder,
      rules: { ...BUILDER_RULES, ...own, queueForMs: 500, upstreams: project === 'down' ? [name('up')] : [] },
    })),
    { noun: 'scheduler', project: name(project), name: 'main', rules: { origin: 'change', cancelsRest } },
  ]);
}

async function perform(
  store: Store,
  { what, project, builder, branch, result, which }: Operation,
  name: (project: string) => string,
  at: number,
  all: number[],
): Promise<void> {
  const of = name(project);
  const set = {
    ...buildSet(),
    source: { repository: REPOSITORY, branch, revision: `r${at}` },
    builders: ['b', 'c'].map((one) => ({ project: of, builder: one })),
    atMs: at,
  };
  const pending = await store.requests.pending();
  const running = await store.builds.running();
  const waiting = pending[which % Math.max(1, pending.length)];
  const build = running[which % Math.max(1, running.length)];
  switch (what) {
    case 'change': {
      const change = {
        project: of,
        repository: REPOSITORY,
        branch,
        revision: `r${at}`,
        comments: '',
        files: [],
        filesLeftOut: 0,
        properties: {},
        atMs: at,
        sentBy: 'hook',
      };
      all.push(
        ...(
          await store.changes.add(change, String(at), [
            { scheduler: 'main', isImportant: true, set: { ...set, scheduler: 'main' } },
          ])
        ).requests,
      );
      break;
    }
    case 'force':
      for (const { id } of await store.requests.add({ ...set, builders: [{ project: of, builder }] })) all.push(id);
      break;
    case 'claim':
      if (waiting && !(await store.requests.upstreams()).has(waiting.id))
        await store.requests.claim(claimOf(waiting.id));
      break;
    case 'finish':
      if (build) await store.builds.finish(build.id, result, undefined, at, RETRY);
      break;
    case 'cancel':
      if (waiting) await store.requests.cancel(waiting.id, 'enough', at);
      break;
    case 'stop':
      if (waiting) await store.requests.stopSet(waiting.buildSetId, 'enough', at);
      break;
    case 'give up': {
      const next = await store.requests.nextDeadline();
      if (next) await store.requests.end(next.id, { result: 'exception', cause: 'deadline', summary: 'late' }, at);
    }
  }
}

/** A farm with room for all builds whatever may start; each round some end, so that these are no more than the requests have tries. */
async function drain(store: Store, all: readonly number[]): Promise<void> {
  const most = 1 + all.length * (1 + RETRY.lost + RETRY.exception + RETRY.failure);
  for (let round = 0; round < most; round++) {
    for (const { id, stopReason } of await store.builds.running()) {
      await store.builds.finish(id, stopReason === undefined ? 'retry' : 'cancelled', stopReason, 1_000, RETRY);
    }
    const held = await store.requests.upstreams();
    const free = (await store.requests.pending()).filter(({ id }) => !held.has(id));
    if (free.length === 0) break;
    for (const { id } of free) await store.requests.claim(claimOf(id));
  }
}
