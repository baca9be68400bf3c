import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { choose } from '../../../../../src/master/queue/choose.ts';
import type { Choice } from '../../../../../src/master/queue/queue-state.ts';
import { readQueue } from '../../../../../src/master/queue/read-queue.ts';
import { Vetoes } from '../../../../../src/master/queue/vetoes.ts';
import type { Build } from '../../../../../src/model/build.ts';
import type { Store } from '../../../../../src/store/store.ts';
import { RETRY_RULES } from '../../../../../src/model/retry.ts';
import { buildSet, claimOf, TempStore } from '../../../../support/temp-store.ts';
import { configShape } from '../queue-farm.ts';
import { accessesOf, buildersOf, locksOf } from './lock-world.ts';

// Real transactions on a disk that may be busy with much else.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** Some seconds of them. */
const RUNS = Number(process.env['TRUNKLINE_STORE_STORIES'] ?? 40);
const WORKERS = { a: 5, b: 6, c: 4 };
const HOSTS: Readonly<Record<string, string>> = { a: 'vm1', b: 'vm1', c: 'vm2' };

const anyWish = fc.array(fc.constantFrom(0, 1, 1, 2, 3, 5, 5, 5, 5), { minLength: 4, maxLength: 4 });
const anySlots = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 });
const anyMove = fc.record({
  move: fc.constantFrom(
    'submit',
    'submit',
    'submit',
    'trigger',
    'trigger',
    'step',
    'step',
    'endStep',
    'end',
    'end',
    'reload',
  ),
  n: fc.nat(20),
  wish: anyWish,
  slots: anySlots,
});
type Move = typeof anyMove extends fc.Arbitrary<infer T> ? T : never;

let temp: TempStore;
let store: Store;
beforeAll(async () => {
  temp = await TempStore.make();
  store = await temp.open();
});
afterAll(() => temp.remove());

/** A farm whose rows are in a store, and whose workers never do anything by themselves. */
class StoredFarm {
  readonly #builders;
  #locks;
  #key = 0;

  constructor(slots: readonly number[], wishes: readonly (readonly number[])[]) {
    this.#builders = buildersOf(wishes);
    this.#locks = locksOf(slots);
  }

  async choice(): Promise<Choice> {
    const config = configShape(WORKERS, this.#builders, {
      locks: this.#locks,
      workers: Object.entries(WORKERS).map(([name, maxBuilds]) => ({ name, maxBuilds, host: HOSTS[name] ?? '' })),
    });
    const state = await readQueue({
      store,
      connected: () => new Set(Object.keys(WORKERS)),
      canMask: () => true,
      config: () => config,
      configOf: () => Promise.resolve(config),
      holds: [],
      buildIfs: { holds: () => new Map() },
      ownLocks: { look: () => ({ holds: new Map(), locks: new Map() }) },
      nextBuilds: { holds: () => new Map() },
      vetoes: new Vetoes(),
      nowMs: () => temp.clock.now(),
    });
    return choose(state);
  }

  /** Commits what is chosen, of which the store is to refuse nothing, until nothing more is. */
  async settle(): Promise<void> {
    for (;;) {
      const { pairs, grants, cycles } = await this.choice();
      for (const { owner, text } of cycles) {
        if ('requestId' in owner)
          await store.requests.end(owner.requestId, { result: 'exception', summary: text }, 5_000);
        else {
          await store.locks.refuse(owner, text);
          await store.builds.finishStep(owner.buildId, owner.step, 'exception', text, 5_000);
        }
      }
      for (const { owner, locks } of grants) await store.locks.grant(owner, locks, 5_000);
      for (const { request, worker, locks } of pairs)
        await store.requests.claim({ ...claimOf(request.id, worker), locks, isCheck: request.id % 2 === 0 });
      // What the steps were given wakes nobody: nobody else may go for that.
      if (pairs.length + cycles.length === 0) {
        if (grants.length === 0) return;
        expect(await this.choice()).toMatchObject({ pairs: [], grants: [] });
      }
    }
  }

  async play({ move, n, wish, slots }: Move): Promise<void> {
    if (move === 'submit') {
      await store.requests.add({ ...buildSet(`b${n % this.#builders.length}`), priority: n % 2 });
      return;
    }
    if (move === 'reload') {
      this.#locks = locksOf(slots);
      return;
    }
    const builds = await store.builds.running();
    const build = builds[n % Math.max(1, builds.length)];
    // One that is only being checked has no steps yet.
    if (!build || (build.number < 0 && move !== 'end')) return;
    if (move === 'trigger') {
      const parent = { buildId: build.id, key: `0.${++this.#key}`, waits: true };
      await store.requests.add({ ...buildSet(`b${n % this.#builders.length}`), parent });
    } else if (move === 'end') await this.end(build, n);
    else await this.#step(build, move, wish);
  }

  async end({ id, number }: Build, n: number): Promise<void> {
    if (number < 0) {
      // One that was to be stopped meanwhile, as its parent has ended, passes no check.
      if (n % 2 === 0 || !(await store.builds.passCheck(id, 6_000))) await store.builds.giveBack(id, 6_000);
    } else await store.builds.finish(id, n % 3 === 0 ? 'retry' : 'success', undefined, 6_000, { ...RETRY_RULES });
  }

  /** The first step of a build holds or waits, the second has nothing to do with locks. */
  async #step({ id, builder }: Build, move: 'step' | 'endStep', wish: readonly number[]): Promise<void> {
    const [first] = await store.builds.steps(id);
    if (first?.state === 'pending' && move === 'step') {
      // What the build holds a step of it may not ask for.
      const own = new Set(this.#builders.find(({ name }) => name === builder)?.locks.map(({ lock }) => lock));
      await store.builds.startStep(id, 0, 4_000);
      await store.locks.wait(
        { buildId: id, step: 0 },
        accessesOf(wish).filter(({ lock }) => !own.has(lock)),
        4_000,
      );
    } else if (first?.state === 'running' && move === 'endStep')
      await store.builds.finishStep(id, 0, 'success', undefined, 4_500);
  }
}

test('what is chosen is never refused by the store, and in the end nothing is held or waits', async () => {
  const story = fc.record({
    slots: anySlots,
    wishes: fc.array(anyWish, { minLength: 5, maxLength: 5 }),
    moves: fc.array(anyMove, { maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(story, async ({ slots, wishes, moves }) => {
      const farm = new StoredFarm(slots, wishes);
      for (const move of moves) {
        await farm.play(move);
        await farm.settle();
      }
      // Nothing new comes, and what runs ends: so all of it ends, whatever waited for whom.
      for (;;) {
        const running = await store.builds.running();
        if (running.length === 0) break;
        for (const build of running) await farm.end(build, 1);
        await farm.settle();
      }
      expect(await store.requests.pending()).toEqual([]);
      expect(await store.locks.claims()).toEqual([]);
      expect(await store.locks.waits()).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});
