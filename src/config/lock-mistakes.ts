import { isDeepStrictEqual } from 'node:util';
import { slotsAt } from '../model/lock.ts';
import type { LockAccess, LockShape } from '../model/lock.ts';
import type { CheckedBuilder, CheckedConfig } from './config-schema.ts';
import type { CheckedLock } from './lock-schema.ts';
import { accessShapes, literalLocks, lockShape, locksOf } from './lock-shapes.ts';
import { selectWorkers } from './select-workers.ts';

type Hosts = ReadonlyMap<string, string | undefined>;

/** What is wrong with the locks of a configuration and with what is asked of them, each with its place. */
export function lockMistakes(config: CheckedConfig): string[] {
  const hosts: Hosts = new Map(config.workers.map(({ name, host }) => [name, host]));
  const mistakes = ofLocks(locksOf(config), hosts);
  for (const project of config.projects) {
    for (const builder of project.builders) {
      const place = `project "${project.name}", builder "${builder.name}"`;
      const workers = selectWorkers(builder.workers, config.workers);
      const held = literalLocks(builder);
      mistakes.push(...ofBuilder(builder, held, workers, hosts).map((text) => `${place}${text}`));
    }
  }
  return mistakes;
}

/** What is wrong with the locks that a builder's function has named for one build. */
export function ownLockMistakes(
  builder: CheckedBuilder,
  locks: readonly CheckedLock[],
  config: CheckedConfig,
): string[] {
  const known = new Map(locksOf(config).map((lock) => [lock.name, lockShape(lock)]));
  const unknown = locks.filter((lock) => !isDeepStrictEqual(known.get(lock.name), lockShape(lock)));
  if (unknown.length > 0)
    return unknown.map(
      ({ name }) => `lock "${name}" is not in the configuration, or not like this; name it in locks of defineMaster()`,
    );
  const hosts: Hosts = new Map(config.workers.map(({ name, host }) => [name, host]));
  const workers = selectWorkers(builder.workers, config.workers);
  return ofBuilder(builder, locks, workers, hosts).map((text) => text.replace(/^[:,] /, ''));
}

function ofLocks(locks: readonly CheckedLock[], hosts: Hosts): string[] {
  const mistakes = new Set<string>();
  const shapes = new Map<string, LockShape>();
  const known = { farm: new Set<string>(), worker: new Set(hosts.keys()), host: new Set(hosts.values()) };
  for (const lock of locks) {
    const shape = lockShape(lock);
    const { name, scope, slotsFor } = shape;
    const other = shapes.get(name);
    if (other && !isDeepStrictEqual(other, shape)) {
      mistakes.add(
        `lock "${name}" is there twice, as ${describe(other)} and as ${describe(shape)}; give one of them another name, or use one value for both`,
      );
    }
    shapes.set(name, other ?? shape);
    for (const place of Object.keys(slotsFor)) {
      if (known[scope].has(place)) continue;
      mistakes.add(`lock "${name}", slotsFor: there is no ${scope} "${place}"; correct the name or remove it`);
    }
  }
  return [...mistakes];
}

function describe({ scope, slots, slotsFor }: LockShape): string {
  const maker = { farm: 'masterLock', worker: 'workerLock', host: 'hostLock' }[scope];
  const others = Object.entries(slotsFor).map(([place, own]) => `, ${own} for ${place}`);
  return `a ${maker}() with ${counted(slots, 'slot')}${others.join('')}`;
}

/** Texts that follow the builder's place. */
function ofBuilder(
  { steps }: CheckedBuilder,
  locks: readonly CheckedLock[],
  workers: readonly string[],
  hosts: Hosts,
): string[] {
  const held = new Set(locks.map(({ name }) => name));
  return [
    ...ofAccesses(locks, workers, hosts).map((text) => `: ${text}`),
    ...steps.flatMap((step) => {
      const own = step.locks ?? [];
      const both = [...new Set(own.map(({ name }) => name))].filter((name) => held.has(name));
      return [
        ...both.map(
          (name) => `it asks for lock "${name}", which its builder holds all the time; remove one of the two`,
        ),
        ...ofAccesses(own, workers, hosts),
      ].map((text) => `, step "${step.name}": ${text}`);
    }),
  ];
}

function ofAccesses(locks: readonly CheckedLock[], workers: readonly string[], hosts: Hosts): string[] {
  const mistakes = new Set<string>();
  const seen = new Set<string>();
  for (const [index, access] of accessShapes(locks).entries()) {
    const lock = locks[index];
    if (seen.has(access.lock)) mistakes.add(`it asks for lock "${access.lock}" twice; ask once for all that it needs`);
    seen.add(access.lock);
    for (const worker of workers) {
      const mistake = lock && hosts.has(worker) && ofPlace(access, lockShape(lock), worker, hosts.get(worker));
      if (mistake) mistakes.add(mistake);
    }
  }
  return [...mistakes];
}

function ofPlace(access: LockAccess, lock: LockShape, worker: string, host: string | undefined): string | undefined {
  const { scope, name } = lock;
  if (scope === 'host' && host === undefined) {
    return `lock "${name}" is one per host, and worker "${worker}" has none; write worker('${worker}', { host: '…' })`;
  }
  const place = { farm: undefined, worker, host }[scope];
  const slots = slotsAt(lock, place);
  if (access.units <= slots) return undefined;
  const there = place === undefined ? '' : ` on ${scope} "${place}"`;
  return `it asks for ${counted(access.units, 'unit')} of lock "${name}", which has ${counted(slots, 'slot')}${there}; ask for less, or give the lock more slots`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
