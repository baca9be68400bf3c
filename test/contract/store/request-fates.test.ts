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
const CHANGE = {
  repository: REPOSITORY,
  comments: '',
  files: [],
  filesLeftOut: 0,
  properties: {},
  sentBy: 'hook',
};
/** The rules of project `N-up`, and of `N-down` that depends on it. */
const PROJECTS = ['up', 'down'] as const;

const OPERATIONS = [
  'change',
  'change',
  'change',
  'quiet change',
  'quiet change',
  'quiet',
  'follow',
  'force',
  'trigger',
  'trigger and wait',
  'claim',
  'claim',
  'finish',
  'finish',
  'cancel',
  'stop',
  'stop build',
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
  it('end once each, wait for nothing that has ended, outlive nobody who waits for them, and leave nothing behind', async () => {
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
        const life: Life = { store, name, all: [], parents: new Set() };
        const { all } = life;
        for (const project of PROJECTS) {
          const follower = { project: name(project), scheduler: 'after' };
          await store.schedulers.settle({ ...follower, rule: 'main' }, undefined);
        }
        for (const [at, one] of operations.entries()) {
          await perform(life, one, at);
          await mustHaveParents(life);
        }
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
          const newer = await store.requests.find(request.collapsedInto);
          expect(newer).not.toHaveProperty('collapsedInto');
          // Nor is it of an earlier change.
          expect(Number(newer?.source.revision)).toBeGreaterThanOrEqual(Number(request.source.revision));
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

interface Life {
  readonly store: Store;
  readonly name: (project: string) => string;
  /** Each request that was ever made. */
  readonly all: number[];
  /** Builds that have triggered others. */
  readonly parents: Set<number>;
}

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
    ...(['main', 'quiet'] as const).map((scheduler): RequestRule => ({
      noun: 'scheduler',
      project: name(project),
      name: scheduler,
      rules: { origin: 'change', cancelsRest },
    })),
    { noun: 'scheduler', project: name(project), name: 'after', rules: { origin: 'time', cancelsRest } },
  ]);
}

async function perform(life: Life, { what, project, builder, branch, result, which }: Operation, at: number) {
  const { store, name, all, parents } = life;
  const of = name(project);
  // What is of a later change has a greater revision.
  const revision = String(at);
  const set = {
    ...buildSet(),
    source: { repository: REPOSITORY, branch, revision },
    builders: ['b', 'c'].map((one) => ({ project: of, builder: one })),
    atMs: at,
  };
  const one = [{ project: of, builder }];
  const pending = await store.requests.pending();
  const running = await store.builds.running();
  const waiting = pending[which % Math.max(1, pending.length)];
  const build = running[which % Math.max(1, running.length)];
  const noted = (requests: readonly { readonly id: number }[]): void => void all.push(...requests.map(({ id }) => id));
  switch (what) {
    case 'change':
    case 'quiet change': {
      const change = { ...CHANGE, project: of, branch, revision, atMs: at };
      const scheduler = what === 'change' ? 'main' : 'quiet';
      const built = what === 'change' && { set: { ...set, scheduler } };
      const { requests } = await store.changes.add(change, revision, [{ scheduler, isImportant: true, ...built }]);
      all.push(...requests);
      break;
    }
    case 'quiet':
      for (const { newestId, ...quiet } of await store.schedulers.pending()) {
        const newest = await store.changes.find(newestId);
        const source = { ...set.source, branch: quiet.branch, revision: newest?.revision ?? '' };
        const builders = [{ project: quiet.project, builder }];
        const changes = { branch: quiet.branch, newestId };
        noted(
          await store.schedulers.fire({ ...quiet, changes, set: { ...set, source, builders, scheduler: 'quiet' } }),
        );
      }
      break;
    case 'follow': {
      const follower = { project: of, scheduler: 'after' };
      for (const { id, source } of await store.schedulers.toFollow(follower, { project: of, scheduler: 'main' })) {
        const next = { ...set, source, builders: one, scheduler: 'after' };
        noted(await store.schedulers.fire({ ...follower, follows: id, set: next, isSameSource: true }));
      }
      break;
    }
    case 'force':
      noted(await store.requests.add({ ...set, builders: one }));
      break;
    case 'trigger':
    case 'trigger and wait': {
      if (!build) break;
      parents.add(build.id);
      const parent = { buildId: build.id, key: revision, waits: what === 'trigger and wait' };
      const child = { ...set, source: build.source, builders: one, parent, changesOf: build.id };
      const [ids = []] = await store.requests.trigger([child]);
      all.push(...ids);
      // As after a kill, when the step runs again.
      expect(await store.requests.trigger([child])).toEqual([ids]);
      break;
    }
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
    case 'stop build':
      if (build) await store.builds.requestStop(build.id, 'enough', at);
      break;
    case 'give up': {
      const next = await store.requests.nextDeadline();
      if (next) await store.requests.end(next.id, { result: 'exception', cause: 'deadline', summary: 'late' }, at);
    }
  }
}

/** What somebody waited for who has ended waits for nothing any more, and what of it runs is asked to end. */
async function mustHaveParents({ store, parents }: Life): Promise<void> {
  for (const id of parents) {
    if ((await store.builds.find(id))?.state === 'running') continue;
    for (const { state, parent, buildId } of await store.requests.childrenOf(id)) {
      if (!parent?.waits || state === 'finished') continue;
      expect(state).toBe('claimed');
      expect(await store.builds.find(buildId ?? 0)).toHaveProperty('stopReason');
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
