import { expect, test } from 'vitest';
import { choose } from '../../../../../src/master/queue/choose.ts';
import type { QueueState } from '../../../../../src/master/queue/queue-state.ts';
import type { LockAccess, LockShape } from '../../../../../src/model/lock.ts';
import { builderShape } from '../queue-farm.ts';
import { LockWorld } from './lock-world.ts';

function lock(name: string, slots = 1): LockShape {
  return { name, scope: 'farm', slots, slotsFor: {} };
}

function all(name: string): LockAccess {
  return { lock: name, scope: 'farm', mode: 'exclusive', units: 1 };
}

/** Builds 1, 2, … of builders that hold what is asked for, in that order. */
function running(locks: readonly LockShape[], ...held: readonly (readonly LockAccess[])[]): LockWorld {
  const builders = held.map((accesses, at) => builderShape(`b${at + 1}`, ['a', 'b', 'c'], accesses));
  const world = new LockWorld(locks, builders);
  for (const { name } of builders) {
    world.submit(name, 0);
    world.commit(choose(world.state()));
  }
  expect(world.requests.size).toBe(0);
  return world;
}

function id(world: LockWorld, builder: string): number {
  const [found] = [...world.builds.values()].filter(({ request }) => request.builder === builder);
  return found?.id ?? 0;
}

test('two builds whose steps want what the other one holds: the one that came last is told the whole circle', () => {
  const world = running([lock('vpn'), lock('gpu')], [all('vpn')], [all('gpu')]);
  const [one, two] = [id(world, 'b1'), id(world, 'b2')];
  world.want(one, [all('gpu')]);
  expect(choose(world.state()).cycles).toEqual([]);
  world.want(two, [all('vpn')]);
  expect(choose(world.state()).cycles).toEqual([
    {
      owner: { buildId: two, step: 1 },
      text: `it would wait for itself: p/b2#${two} waits for lock vpn, held by p/b1#${one}, which waits for lock gpu, held by p/b2#${two}`,
    },
  ]);
  world.finish(two);
  expect(choose(world.state())).toMatchObject({ cycles: [], grants: [{ owner: { buildId: one } }] });
});

test('a child that waits for whoever waits for its parent closes a circle', () => {
  const world = running([lock('vpn'), lock('gpu')], [all('vpn')], [all('gpu')]);
  const [parent, other] = [id(world, 'b1'), id(world, 'b2')];
  world.want(other, [all('vpn')]);
  world.submit('b2', 0, parent);
  const [child] = [...world.requests.keys()];
  expect(choose(world.state()).cycles).toEqual([
    {
      owner: { requestId: child },
      text: `it would wait for itself: request ${child} waits for lock gpu, held by p/b2#${other}, which waits for lock vpn, held by p/b1#${parent}, which waits for its child, request ${child}`,
    },
  ]);
});

test('a lock that somebody else will give back closes no circle', () => {
  const one: LockAccess = { lock: 'vm', scope: 'farm', mode: 'counting', units: 1 };
  const world = running([lock('vm', 2), lock('gpu')], [one], [all('gpu')], [one]);
  world.want(id(world, 'b1'), [all('gpu')]);
  world.want(id(world, 'b2'), [one]);
  expect(choose(world.state()).cycles).toEqual([]);
  world.finish(id(world, 'b3'));
  expect(choose(world.state()).grants).toMatchObject([{ owner: { buildId: id(world, 'b2') } }]);
});

test('circles that have nothing to do with each other are all told, and those who wait behind them are not', () => {
  const world = running(
    [lock('A'), lock('B'), lock('C'), lock('D')],
    [all('A')],
    [all('B')],
    [all('C')],
    [all('D')],
    [],
  );
  for (const [builder, name] of [
    ['b1', 'B'],
    ['b2', 'A'],
    ['b3', 'D'],
    ['b4', 'C'],
    ['b5', 'A'],
  ] as const) {
    world.want(id(world, builder), [all(name)]);
  }
  const owners = choose(world.state()).cycles.map(({ owner }) => owner);
  expect(owners).toEqual([
    { buildId: id(world, 'b4'), step: 1 },
    { buildId: id(world, 'b2'), step: 1 },
  ]);
});

test('a place ahead holds up nobody for whom its keeper waits', () => {
  // b1 keeps a place with M while it waits for L, which b2 holds; b2 wants M.
  const world = running([lock('L'), lock('M')], [], [all('L')]);
  const [one, two] = [id(world, 'b1'), id(world, 'b2')];
  world.want(one, [all('L'), all('M')]);
  world.want(two, [all('M')]);
  const choice = choose(world.state());
  expect(choice.cycles).toEqual([]);
  expect(choice.grants).toMatchObject([{ owner: { buildId: two }, locks: [{ key: 'farm/M' }] }]);
  expect([...choice.stepReasons]).toEqual([
    [one, expect.stringContaining(`waits for lock L (exclusive): held by p/b2#${two}`)],
  ]);
});

test('a new build ahead that waits for a parent does not hold up its child', () => {
  const world = running([lock('L'), lock('M')], [all('L')], [all('M')]);
  const parent = id(world, 'b1');
  // Asks for both, with a higher priority than the child, and has to wait for the parent.
  const builders = [...world.builders, builderShape('both', ['a'], [all('L'), all('M')])];
  const wide = new LockWorld(world.locks, builders);
  wide.submit('b1', 0);
  wide.commit(choose(wide.state()));
  wide.submit('both', 5);
  wide.submit('b2', 0, id(wide, 'b1'));
  expect(choose(wide.state()).pairs.map(({ request }) => request.builder)).toEqual(['b2']);
  expect(parent).toBeGreaterThan(0);
});

test('a build of a project that is not everybody’s is told by its id', () => {
  const world = running([lock('vpn')], [all('vpn')]);
  world.submit('b1', 0);
  const state = world.state();
  const [holder] = [...state.builds.values()];
  const other: QueueState = {
    ...state,
    builds: new Map([[holder?.id ?? 0, { id: 0, number: 1, project: 'secret', builder: 'x' }]]),
  };
  const open = { name: 'secret', builders: [], schedulers: [] };
  const projects = (access: object): QueueState => ({
    ...other,
    config: { ...other.config, projects: [...other.config.projects, { ...open, ...access }] },
  });
  const reason = (from: QueueState): string | undefined => [...choose(from).reasons.values()][0];
  expect(reason(projects({}))).toContain('held by secret/x#1 since');
  expect(reason(projects({ access: { read: ['ann'] } }))).toContain(`held by build ${holder?.id} since`);
  // Gone from the configuration: who may read it is not known here.
  expect(reason(other)).toContain(`held by build ${holder?.id} since`);
});
