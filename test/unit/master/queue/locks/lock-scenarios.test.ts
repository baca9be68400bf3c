import { expect, test } from 'vitest';
import { choose } from '../../../../../src/master/queue/choose.ts';
import type { LockAccess, LockShape } from '../../../../../src/model/lock.ts';
import { builderShape } from '../queue-farm.ts';
import { LockWorld } from './lock-world.ts';

// The locks of Buildbot as its manual and its code describe them, and where ours differ on purpose. Workers a and b are on one
// host, c on another; all three have more seats than any of these needs.

function lock(name: string, slots = 1, over: Partial<LockShape> = {}): LockShape {
  return { name, scope: 'farm', slots, slotsFor: {}, ...over };
}

function all(name: string, scope: LockAccess['scope'] = 'farm'): LockAccess {
  return { lock: name, scope, mode: 'exclusive', units: 1 };
}

function some(name: string, units = 1, scope: LockAccess['scope'] = 'farm'): LockAccess {
  return { lock: name, scope, mode: 'counting', units };
}

type Wishes = Readonly<Record<string, readonly LockAccess[]>>;

class Scenario {
  readonly world: LockWorld;

  /** A builder for each of the wishes, on worker `on`. */
  constructor(locks: readonly LockShape[], wishes: Wishes, on: readonly string[] = ['a', 'b', 'c']) {
    const builders = Object.entries(wishes).map(([name, accesses]) => builderShape(name, on, accesses));
    this.world = new LockWorld(locks, builders);
  }

  ask(...builders: readonly string[]): this {
    for (const builder of builders) this.world.submit(builder, 0);
    return this;
  }

  /** Grants what may be granted; the builders, and `step of BUILDER`, that got something. */
  go(): readonly string[] {
    const choice = choose(this.world.state());
    const steps = choice.grants.map(({ owner }) => `step of ${this.world.builds.get(owner.buildId)?.request.builder}`);
    this.world.commit(choice);
    return [...steps, ...choice.pairs.map(({ request }) => request.builder)];
  }

  /** The oldest build of a builder that runs. */
  build(builder: string): number {
    const [found] = [...this.world.builds.values()].filter(({ request }) => request.builder === builder);
    if (!found) throw new Error(`no build of ${builder} runs`);
    return found.id;
  }

  end(builder: string): this {
    this.world.finish(this.build(builder));
    return this;
  }

  reasons(): readonly string[] {
    return [...choose(this.world.state()).reasons.values()];
  }
}

test('an exclusive lock of the farm lets one build run at a time, whichever workers are free, in the order of the queue', () => {
  const farm = new Scenario([lock('vpn')], { x: [all('vpn')], y: [all('vpn')], z: [] });
  expect(farm.ask('x', 'y', 'x', 'z').go()).toEqual(['x', 'z']);
  expect(farm.go()).toEqual([]);
  expect(farm.end('x').go()).toEqual(['y']);
  expect(farm.end('y').go()).toEqual(['x']);
});

test('a counting lock lets as many in as it has slots', () => {
  const farm = new Scenario([lock('vm', 3)], { one: [some('vm')], two: [some('vm', 2)] });
  expect(farm.ask('two', 'one', 'one').go()).toEqual(['two', 'one']);
  expect(farm.end('two').go()).toEqual(['one']);
});

test('whoever wants all of a lock waits for all who count, and is not overtaken by those who count and came later', () => {
  const farm = new Scenario([lock('vm', 3)], { one: [some('vm')], all: [all('vm')] });
  expect(farm.ask('one', 'all', 'one').go()).toEqual(['one']);
  expect(farm.end('one').go()).toEqual(['all']);
  expect(farm.end('all').go()).toEqual(['one']);
});

test('a big counting request is not starved by small ones that fit beside what is held', () => {
  const farm = new Scenario([lock('vm', 10)], { five: [some('vm', 5)], eight: [some('vm', 8)], one: [some('vm')] });
  expect(farm.ask('five', 'eight', 'one', 'one', 'one', 'one').go()).toEqual(['five']);
  expect(farm.reasons()).toEqual([
    'waits for lock vm (8 of 10): held by p/five#7 since 12:30 UTC',
    ...[1, 2, 3, 4].map(
      (ahead) => `waits for lock vm (1 of 10): held by p/five#7 since 12:30 UTC, ${ahead} ahead of it`,
    ),
  ]);
  expect(farm.end('five').go()).toEqual(['eight', 'one', 'one']);
  expect(farm.end('one').go()).toEqual(['one']);
});

test('each worker has a lock of its own, with slots of its own where it is said so', () => {
  const cpu = lock('cpu', 1, { scope: 'worker', slotsFor: { b: 2 } });
  const wishes = { x: [some('cpu', 1, 'worker')] };
  expect(new Scenario([cpu], wishes, ['a', 'b', 'c']).ask('x', 'x', 'x', 'x', 'x').go()).toHaveLength(4);
  expect(new Scenario([cpu], wishes, ['b']).ask('x', 'x', 'x').go()).toHaveLength(2);
  expect(new Scenario([cpu], { x: [all('cpu', 'worker')] }, ['b']).ask('x', 'x').go()).toHaveLength(1);
});

test('workers of one host share its lock, and no other host is touched', () => {
  const disk = lock('disk', 1, { scope: 'host', slotsFor: { vm2: 2 } });
  const wishes = { x: [some('disk', 1, 'host')] };
  expect(new Scenario([disk], wishes, ['a', 'b']).ask('x', 'x', 'x').go()).toHaveLength(1);
  expect(new Scenario([disk], wishes, ['a', 'b', 'c']).ask('x', 'x', 'x', 'x').go()).toHaveLength(3);
});

test('several locks are had all at once or not at all, and whoever waits for one keeps a place with the others', () => {
  const farm = new Scenario([lock('A'), lock('B')], { a: [all('A')], b: [all('B')], both: [all('A'), all('B')] });
  expect(farm.ask('b', 'both', 'a', 'b').go()).toEqual(['b']);
  expect(farm.world.claims.map(({ key }) => key)).toEqual(['farm/B']);
  expect(farm.end('b').go()).toEqual(['both']);
  expect(farm.end('both').go()).toEqual(['a', 'b']);
});

test('whoever waits may be cancelled, and those behind go on', () => {
  const farm = new Scenario([lock('vm', 2)], { one: [some('vm')], all: [all('vm')] });
  farm.ask('one', 'all', 'one').go();
  const [waiting] = [...farm.world.requests.values()].filter(({ builder }) => builder === 'all');
  farm.world.requests.delete(waiting?.id ?? 0);
  expect(farm.go()).toEqual(['one']);
});

test('more slots let waiters go at once; fewer let nobody in until it fits', () => {
  const farm = new Scenario([lock('vm', 2)], { one: [some('vm')] });
  expect(farm.ask('one', 'one', 'one', 'one', 'one').go()).toHaveLength(2);
  farm.world.locks = [lock('vm', 3)];
  expect(farm.go()).toHaveLength(1);
  farm.world.locks = [lock('vm', 1)];
  for (const expected of [0, 0, 1]) expect(farm.end('one').go()).toHaveLength(expected);
});

test('whoever asks for more than a reload has left of a lock has it alone', () => {
  const farm = new Scenario([lock('vm', 4)], { one: [some('vm')], three: [some('vm', 3)] });
  farm.ask('one', 'one').go();
  farm.world.locks = [lock('vm', 2)];
  expect(farm.ask('three', 'one').go()).toEqual([]);
  expect(farm.end('one').go()).toEqual([]);
  expect(farm.end('one').go()).toEqual(['three']);
  expect(farm.go()).toEqual([]);
  expect(farm.end('three').go()).toEqual(['one']);
});

test('no units of a lock are had at any time, and held by nobody', () => {
  const farm = new Scenario([lock('vpn')], { all: [all('vpn')], none: [some('vpn', 0)] });
  expect(farm.ask('all', 'all', 'none').go()).toEqual(['all', 'none']);
  expect(farm.world.claims).toHaveLength(1);
});

test('steps of builds that run go before new builds, and among them the build that came first', () => {
  const farm = new Scenario([lock('vpn')], { x: [all('vpn')], first: [], second: [] });
  farm.ask('x', 'first', 'second', 'x').go();
  farm.world.want(farm.build('second'), [all('vpn')]);
  farm.world.want(farm.build('first'), [all('vpn')]);
  expect(farm.end('x').go()).toEqual(['step of first']);
  expect(farm.end('first').go()).toEqual(['step of second']);
  farm.world.endStep(farm.build('second'));
  expect(farm.go()).toEqual(['x']);
});

test('what waits for a worker keeps no lock from those behind', () => {
  const farm = new Scenario([lock('vpn')], { x: [all('vpn')], fill: [] }, ['c']);
  farm.ask('fill', 'fill', 'fill', 'fill').go();
  const other = new LockWorld(farm.world.locks, [...farm.world.builders, builderShape('y', ['a'], [all('vpn')])]);
  const state = { ...farm.ask('x').world.state(), config: other.state().config };
  const [x] = state.requests;
  const requests = x ? [x, { ...x, id: x.id + 1, builder: 'y' }] : [];
  const { pairs, reasons } = choose({ ...state, requests });
  expect(pairs.map(({ request }) => request.builder)).toEqual(['y']);
  expect([...reasons.values()]).toEqual(['all connected workers of x are at their maximum: c runs 4 of 4']);
  // Nor does what waits for something of its own.
  const holds = new Map(requests.slice(0, 1).map(({ id }) => [id, { text: 'waits for approval' }]));
  expect(choose({ ...state, requests, holds }).pairs).toHaveLength(1);
});

test('only a higher priority overtakes', () => {
  const farm = new Scenario([lock('vpn')], { x: [all('vpn')], y: [all('vpn')] });
  farm.ask('x', 'x').go();
  farm.world.submit('y', 1);
  expect(farm.end('x').go()).toEqual(['y']);
});

test('a request for several workers keeps its place with the lock of one of them, and is not starved there', () => {
  const cpu = lock('cpu', 2, { scope: 'worker' });
  const wishes = { one: [some('cpu', 1, 'worker')], all: [all('cpu', 'worker')] };
  const farm = new Scenario([cpu], wishes, ['a', 'b']);
  expect(farm.ask('one', 'one', 'all', 'one', 'one').go()).toEqual(['one', 'one', 'one']);
  expect([...farm.world.builds.values()].map(({ worker }) => worker)).toEqual(['a', 'b', 'b']);
  expect(farm.reasons()[0]).toBe('waits for lock cpu on a (exclusive): held by p/one#6 since 12:30 UTC');
  expect(farm.end('one').go()).toEqual(['all']);
});

test('a child goes with what its waiting parent holds, past whoever waits for the parent', () => {
  const farm = new Scenario([lock('vpn')], { parent: [all('vpn')], child: [all('vpn')], x: [all('vpn')] });
  farm.ask('parent', 'x').go();
  farm.world.submit('child', 0, farm.build('parent'));
  farm.world.submit('child', 0, farm.build('parent'));
  expect(farm.go()).toEqual(['child']);
  expect(farm.end('child').go()).toEqual(['child']);
  expect(farm.end('child').go()).toEqual([]);
  expect(farm.end('parent').go()).toEqual(['x']);
});

test('children have together no more than their parent lends, and queue only for the rest', () => {
  const farm = new Scenario([lock('vm', 4)], { parent: [some('vm', 2)], one: [some('vm')], two: [some('vm', 2)] });
  farm.ask('parent', 'one').go();
  for (const child of ['two', 'one', 'one']) farm.world.submit(child, 0, farm.build('parent'));
  // Two of the parent's, and the one slot that nobody has.
  expect(farm.go()).toEqual(['two', 'one']);
  expect(farm.end('two').go()).toEqual(['one']);
});

test('among the children of one parent nobody is overtaken either', () => {
  const farm = new Scenario([lock('vm', 2)], { parent: [some('vm', 2)], one: [some('vm')], two: [some('vm', 2)] });
  farm.ask('parent').go();
  for (const child of ['one', 'two', 'one']) farm.world.submit(child, 0, farm.build('parent'));
  expect(farm.go()).toEqual(['one']);
  expect(farm.end('one').go()).toEqual(['two']);
  expect(farm.end('two').go()).toEqual(['one']);
});

test('a lock that is gone from the configuration goes on as builds know it, or with one slot', () => {
  const farm = new Scenario([lock('vm', 2)], { x: [] });
  farm.ask('x', 'x', 'x').go();
  farm.world.locks = [];
  for (const { id } of farm.world.builds.values()) farm.world.want(id, [some('vm')]);
  const formerLocks = new Map([['vm', lock('vm', 2)]]);
  expect(choose({ ...farm.world.state(), formerLocks }).grants).toHaveLength(2);
  expect(choose(farm.world.state()).grants).toHaveLength(1);
});
