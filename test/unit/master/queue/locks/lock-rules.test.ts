import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { choose } from '../../../../../src/master/queue/choose.ts';
import type { Choice, Cycle } from '../../../../../src/master/queue/queue-state.ts';
import { accessesOf, buildersOf, LockWorld, locksOf } from './lock-world.ts';
import type { Granted } from './lock-world.ts';
import { NaiveChoice } from './naive-choice.ts';

/** 0: exclusive; 5: not asked for. Most ask for little. */
const anyWish = fc.array(fc.constantFrom(0, 1, 1, 2, 3, 5, 5, 5, 5), { minLength: 4, maxLength: 4 });
const anySlots = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 });
const anyMove = fc.oneof(
  { weight: 5, arbitrary: fc.record({ move: fc.constant('submit'), builder: fc.nat(4), priority: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ move: fc.constant('trigger'), builder: fc.nat(4), build: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ move: fc.constant('step'), build: fc.nat(20), wish: anyWish }) },
  { weight: 2, arbitrary: fc.record({ move: fc.constant('endStep'), build: fc.nat(20) }) },
  { weight: 5, arbitrary: fc.record({ move: fc.constant('finish'), build: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('reload'), slots: anySlots }) },
) as fc.Arbitrary<Move>;

type Move =
  | { readonly move: 'submit'; readonly builder: number; readonly priority: number }
  | { readonly move: 'trigger'; readonly builder: number; readonly build: number }
  | { readonly move: 'step'; readonly build: number; readonly wish: readonly number[] }
  | { readonly move: 'endStep'; readonly build: number }
  | { readonly move: 'finish'; readonly build: number }
  | { readonly move: 'reload'; readonly slots: readonly number[] };

const anyStory = fc.record({
  slots: anySlots,
  builders: fc.array(anyWish, { minLength: 5, maxLength: 5 }),
  moves: fc.array(anyMove, { maxLength: 40 }),
});

function play(world: LockWorld, move: Move): void {
  // A build may ask for several children at a time; while it waits for them it goes no further.
  const isAble = (id: number): boolean => (move.move === 'trigger' ? !world.waits.has(id) : world.isFree(id));
  const able = [...world.builds.keys()].filter(isAble);
  const build = 'build' in move ? able[move.build % Math.max(1, able.length)] : undefined;
  if (move.move === 'submit') world.submit(`b${move.builder}`, move.priority);
  else if (move.move === 'reload') world.locks = locksOf(move.slots);
  else if (build === undefined) return;
  else if (move.move === 'trigger') world.submit(`b${move.builder}`, 0, build);
  else if (move.move === 'finish') world.finish(build);
  else if (move.move === 'endStep') world.endStep(build);
  else {
    // What the build holds a step of it may not ask for; a check of the configuration sees to it.
    const own = new Set(
      world.builders
        .find(({ name }) => name === world.builds.get(build)?.request.builder)
        ?.locks.map(({ lock }) => lock),
    );
    world.want(
      build,
      accessesOf(move.wish).filter(({ lock }) => !own.has(lock)),
    );
  }
}

function names({ pairs, grants }: Granted): string[] {
  return [
    ...grants.map(({ owner, locks }) => `build ${owner.buildId}: ${JSON.stringify(locks)}`),
    ...pairs.map(({ request, worker, locks }) => `request ${request.id} on ${worker}: ${JSON.stringify(locks)}`),
  ];
}

function ownerName(owner: Cycle['owner']): string {
  return 'buildId' in owner ? `build ${owner.buildId}` : `request ${owner.requestId}`;
}

/** Nothing new comes, and whatever is not held up ends: those that still wait then, with choices made in that way. */
function drained(world: LockWorld, next: (world: LockWorld) => Granted): ReadonlySet<string> {
  for (;;) {
    const granted = next(world);
    world.commit(granted);
    const free = [...world.builds.keys()].filter((id) => world.isFree(id));
    for (const id of free) world.finish(id);
    if (free.length === 0 && granted.pairs.length === 0 && granted.grants.length === 0) break;
  }
  return new Set([
    ...[...world.requests.keys()].map((id) => `request ${id}`),
    ...[...world.waits.keys()].map((id) => `build ${id}`),
  ]);
}

/** That the choice is what the rules say, and what it does leaves no key with more than it has. */
function mustFollowTheRules(world: LockWorld, choice: Choice): void {
  const state = world.state();
  const simple = new NaiveChoice(state);
  const expected = new Set(names(simple));
  const surplus = names(choice).filter((name) => !expected.delete(name));
  expect([...expected]).toEqual([]);
  // Whoever went past a place ahead: the keeper of that place would have waited for him for ever.
  if (surplus.length > 0) {
    const stuck = drained(world.copy(), (copy) => new NaiveChoice(copy.state()));
    for (const name of surplus) expect(stuck).toContain(/^\w+ \d+/.exec(name)?.[0]);
  }
  // Whoever is named in a cycle never gets what it waits for, though nobody keeps a place.
  if (choice.cycles.length > 0) {
    const stuck = drained(world.copy(), (copy) => new NaiveChoice(copy.state(), true));
    for (const { owner } of choice.cycles) expect(stuck).toContain(ownerName(owner));
  }
  const before = new NaiveChoice({ ...state, requests: [], waits: [] });
  world.commit(choice);
  const after = new NaiveChoice({ ...world.state(), requests: [], waits: [] });
  for (const key of new Set(world.claims.map((claim) => claim.key))) {
    // Slots were lowered below what one alone asks for: it has all of them.
    const most = Math.max(...world.claims.filter((claim) => claim.key === key).map(({ units }) => units));
    expect(after.taken(key), key).toBeLessThanOrEqual(Math.max(after.slots(key), before.taken(key), most));
  }
  mustBeAlone(world);
}

/** Who holds all of a key is there alone, but for those who wait for it and those it waits for. */
function mustBeAlone(world: LockWorld): void {
  const { builds } = world.state();
  const above = (id: number): readonly number[] => {
    const parent = builds.get(id)?.parent;
    return parent === undefined ? [id] : [id, ...above(parent)];
  };
  for (const { key, owner } of world.claims.filter(({ mode }) => mode === 'exclusive')) {
    for (const other of world.claims.filter((claim) => claim.key === key)) {
      const [one, two] = [owner.buildId, other.owner.buildId];
      expect(above(one).includes(two) || above(two).includes(one), `${key}: ${one} and ${two}`).toBe(true);
    }
  }
}

/** Some seconds of them. */
const RUNS = Number(process.env['TRUNKLINE_LOCK_STORIES'] ?? 1_500);

test('whatever comes, each choice is what the simple rules say: nothing over capacity, nobody overtaken', () => {
  fc.assert(
    fc.property(anyStory, ({ slots, builders, moves }) => {
      const world = new LockWorld(locksOf(slots), buildersOf(builders));
      for (const move of moves) {
        play(world, move);
        mustFollowTheRules(world, choose(world.state()));
      }
    }),
    { numRuns: RUNS },
  );
});

test('in the end everybody had its turn, cycles apart, and no unit is left', () => {
  fc.assert(
    fc.property(anyStory, ({ slots, builders, moves }) => {
      const world = new LockWorld(locksOf(slots), buildersOf(builders));
      for (const move of moves) {
        play(world, move);
        world.commit(choose(world.state()));
      }
      const left = drained(world, (now) => {
        for (;;) {
          const choice = choose(now.state());
          if (choice.cycles.length === 0) return choice;
          // The build of a step that would wait for itself ends, and so does such a request.
          for (const { owner } of choice.cycles) {
            if ('buildId' in owner) now.finish(owner.buildId);
            else now.requests.delete(owner.requestId);
          }
        }
      });
      // What needs a seat that its own parent has is no matter of locks.
      expect([...left].filter((name) => !name.startsWith('request') || !isForItsParentsSeat(world, name))).toEqual([]);
      if (left.size === 0) expect(world.claims).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

function isForItsParentsSeat(world: LockWorld, name: string): boolean {
  const reason = choose(world.state()).reasons.get(Number(name.slice('request '.length)));
  return reason?.includes('at their maximum') ?? false;
}
