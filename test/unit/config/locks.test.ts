import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import type { ConfigShape } from '../../../src/config/shape.ts';
import type { StepConfig } from '../../../src/config/values.ts';
import {
  builder,
  defineMaster,
  hostLock,
  masterLock,
  project,
  sh,
  step,
  worker,
  workerLock,
} from '../../../src/index.ts';

type Locks = NonNullable<StepConfig['locks']>;

function checked(locks: Locks, stepLocks: Locks = []): ReturnType<typeof checkConfig> {
  return checkConfig(
    'hash',
    defineMaster({
      title: 'T',
      workers: [worker('sid', { host: 'vm1' }), worker('bare')],
      projects: [
        project('kate', {
          builders: [
            builder('both', {
              workers: ['sid', 'bare'],
              locks,
              steps: [sh('check', 'make check', { locks: stepLocks })],
            }),
          ],
        }),
      ],
    }),
  );
}

function shape(locks: Locks, stepLocks?: Locks): ConfigShape {
  const check = checked(locks, stepLocks);
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  return check.shape;
}

function mistakes(locks: Locks, stepLocks?: Locks): readonly string[] {
  const check = checked(locks, stepLocks);
  return 'mistakes' in check ? check.mistakes : [];
}

test('locks are gathered from where they are asked for; a lock by itself is one of its slots', () => {
  const vpn = masterLock('vpn');
  const cpu = workerLock('cpu', { slots: 4, slotsFor: { sid: 2 } });
  const { locks, projects } = shape([vpn, cpu.counting(2)], [masterLock('db', { slots: 3 }).exclusive()]);
  expect(locks).toEqual([
    { name: 'cpu', scope: 'worker', slots: 4, slotsFor: { sid: 2 } },
    { name: 'db', scope: 'farm', slots: 3, slotsFor: {} },
    { name: 'vpn', scope: 'farm', slots: 1, slotsFor: {} },
  ]);
  expect(projects[0]?.builders[0]?.locks).toEqual([
    { lock: 'vpn', scope: 'farm', mode: 'counting', units: 1 },
    { lock: 'cpu', scope: 'worker', mode: 'counting', units: 2 },
  ]);
  expect(projects[0]?.builders[0]?.steps[0]?.locks).toEqual([
    { lock: 'db', scope: 'farm', mode: 'exclusive', units: 1 },
  ]);
});

test('every kind of step takes locks, and they are no part of what it is made from', () => {
  const locks = [masterLock('vpn')];
  expect(step('x', () => 'success', { locks, alwaysRun: true })).toMatchObject({ locks, rules: { alwaysRun: true } });
  expect(sh('x', 'true', { locks }).made).toEqual({ of: 'sh', command: 'true' });
});

test.each<[string, readonly [Locks, Locks?], string]>([
  [
    'two locks of one name that differ',
    [[masterLock('vpn')], [masterLock('vpn', { slots: 2 })]],
    'lock "vpn" is there twice, as a masterLock() with 1 slot and as a masterLock() with 2 slots; give one of them another name, or use one value for both',
  ],
  [
    'one lock in two scopes',
    [[masterLock('vpn')], [workerLock('vpn', { slots: 2, slotsFor: { sid: 3 } })]],
    'lock "vpn" is there twice, as a masterLock() with 1 slot and as a workerLock() with 2 slots, 3 for sid; give',
  ],
  [
    'a lock that a builder asks for twice',
    [[masterLock('vpn', { slots: 2 }), masterLock('vpn', { slots: 2 }).exclusive()]],
    'project "kate", builder "both": it asks for lock "vpn" twice; ask once for all that it needs',
  ],
  [
    'a lock that a step asks for and its builder holds',
    [[masterLock('vpn', { slots: 2 })], [masterLock('vpn', { slots: 2 })]],
    'project "kate", builder "both", step "check": it asks for lock "vpn", which its builder holds all the time; remove one of the two',
  ],
  [
    'more units than slots',
    [[], [masterLock('vpn', { slots: 2 }).counting(3)]],
    'project "kate", builder "both", step "check": it asks for 3 units of lock "vpn", which has 2 slots; ask for less',
  ],
  [
    'more units than one of the workers has slots',
    [[workerLock('cpu', { slots: 4, slotsFor: { bare: 1 } }).counting(2)]],
    'builder "both": it asks for 2 units of lock "cpu", which has 1 slot on worker "bare"; ask for less',
  ],
  [
    'a lock of hosts for a worker without one',
    [[hostLock('disk')]],
    'builder "both": lock "disk" is one per host, and worker "bare" has none; write worker(\'bare\', { host: \'…\' })',
  ],
  [
    'slots for a worker that is not there',
    [[workerLock('cpu', { slotsFor: { sidd: 2 } })]],
    'lock "cpu", slotsFor: there is no worker "sidd"; correct the name or remove it',
  ],
  ['no slots', [[masterLock('vpn', { slots: 0 })]], 'builder "both", lock "vpn", slots: write a whole number from 1'],
  ['half a unit', [[masterLock('vpn').counting(0.5)]], 'lock "vpn", units: ask for a whole number of units from 0'],
  [
    'slots of the farm by worker',
    [[masterLock('vpn', { slotsFor: { sid: 2 } } as object)]],
    'lock "vpn", slotsFor: a masterLock() has the same slots for all; use workerLock() or hostLock()',
  ],
  ['no lock at all', [['vpn' as never]], 'lock 1: this is no lock: use masterLock(), workerLock() or hostLock()'],
])('%s is told with its place', (_what, [locks, stepLocks], told) => {
  expect(mistakes(locks, stepLocks)[0]).toContain(told);
});

test('a lock without slots of its own for a worker has the same there', () => {
  expect(mistakes([workerLock('cpu', { slots: 4, slotsFor: { sid: 2 } }).counting(2)])).toEqual([]);
  expect(mistakes([masterLock('vpn').counting(0)])).toEqual([]);
});

test('locks that functions of builders name are declared, and mistakes in a list are told with their places', () => {
  const farm = (locks: unknown): unknown => ({
    ...defineMaster({ title: 'T', workers: [worker('sid')], locks: [masterLock('vpn', { slots: 2 })], projects: [] }),
    projects: [
      {
        ...project('kate', { builders: [] }),
        builders: [{ ...builder('b', { workers: ['sid'], steps: [sh('s', 'true')] }), locks }],
      },
    ],
  });
  const check = checkConfig(
    'hash',
    farm(() => []),
  );
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.locks).toEqual([{ name: 'vpn', scope: 'farm', slots: 2, slotsFor: {} }]);
  const [shown] = check.shape.projects[0]?.builders ?? [];
  expect(shown).toMatchObject({ locks: [], functions: { locks: expect.any(String) as string } });
  expect(checkConfig('hash', farm('vpn'))).toEqual({
    mistakes: ['project "kate", builder "b", locks: give a list of locks'],
  });
  expect(checkConfig('hash', farm([{ ...masterLock('vpn', { slots: 2 }), colour: 'red' }, 7]))).toEqual({
    mistakes: [
      'project "kate", builder "b", lock "vpn": unknown option colour; remove it',
      'project "kate", builder "b", lock 2: this is no lock: use masterLock(), workerLock() or hostLock()',
    ],
  });
});
