import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import { diffShapes } from '../../../src/config/diff.ts';
import type { LockWish } from '../../../src/config/values.ts';
import type { ConfigShape } from '../../../src/config/shape.ts';
import {
  builder,
  defineMaster,
  force,
  git,
  mail,
  masterLock,
  project,
  sh,
  step,
  webhook,
  worker,
  workerLock,
} from '../../../src/index.ts';

function shape(hash: string, exported: unknown): ConfigShape {
  const check = checkConfig(hash, exported);
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  return check.shape;
}

const before = defineMaster({
  title: 'T',
  workers: [worker('sid'), worker('old')],
  projects: [
    project('kate', {
      source: git('/kate.git'),
      builders: [
        builder('debian', { workers: ['sid'], steps: [sh('make', 'make'), sh('check', 'make check')] }),
        builder('gone', { workers: ['sid'], steps: [sh('make', 'make')] }),
      ],
    }),
  ],
});

test('a reload tells what it changes, a line each', () => {
  const after = defineMaster({
    title: 'T',
    workers: [worker('sid', { maxBuilds: 3 })],
    projects: [
      project('kate', {
        source: git('/kate.git', { branch: 'main' }),
        schedulers: [force()],
        builders: [
          builder('debian', {
            workers: ['sid'],
            env: { TOKEN: 'secret' },
            steps: [
              sh('check', 'make check', { alwaysRun: true }),
              sh('make', 'make -j4'),
              step('new', () => 'success'),
            ],
          }),
        ],
      }),
      project('kile', { builders: [builder('debian', { workers: ['sid'], steps: [sh('make', 'make')] })] }),
    ],
  });
  expect(diffShapes(shape('1', before), shape('2', after))).toEqual([
    'worker old removed',
    'worker sid: maxBuilds changed from 1 to 3',
    expect.stringMatching(/^project kate: source changed from .* to .*"main"/),
    'project kate: builder gone removed',
    'project kate: builder debian: env changed',
    expect.stringMatching(/^project kate: builder debian: step check: rules changed/),
    'project kate: builder debian: step make: changed',
    'project kate: builder debian: step new added',
    'project kate: builder debian: the order of its steps changed',
    'project kate: scheduler force added',
    'project kile added',
  ]);
});

test('code that changed behind the same shape is told; the same configuration is not', () => {
  expect(diffShapes(shape('1', before), shape('1', before))).toEqual([]);
  expect(diffShapes(shape('1', before), shape('2', before))).toEqual([expect.stringContaining('the code changed')]);
});

test('a reload tells the heartbeat, and what becomes of the builds of a lost worker', () => {
  const [kate] = before.projects;
  const [debian] = kate?.builders ?? [];
  const projects = [{ ...kate!, builders: [{ ...debian!, whenWorkerLost: 'wait' as const }, kate!.builders[1]!] }];
  expect(diffShapes(shape('1', before), shape('2', { ...before, heartbeat: '5s', projects }))).toEqual([
    'heartbeat changed from 15s to 5s',
    'project kate: builder debian: whenWorkerLost changed from retry after 30m to wait',
  ]);
});

test('what changes of a reporter is told, but of no URL what it is', () => {
  const smtp = { host: 'localhost', port: 25 };
  const told = (...reporters: NonNullable<Parameters<typeof defineMaster>[0]['reporters']>): unknown =>
    defineMaster({ ...before, reporters });
  const one = told(mail({ from: 'ci@example.org', smtp }), webhook({ url: 'https://example.org/secret-1' }));
  const two = told(
    mail({ from: 'ci@example.org', smtp, to: ['ops@example.org'] }),
    webhook({ url: 'https://example.org/secret-2', secretFile: 's' }),
    webhook({ name: 'chat', url: 'https://example.org/secret-3' }),
  );
  expect(diffShapes(shape('1', one), shape('2', two))).toEqual([
    'reporter mail: to changed from [] to ["ops@example.org"]',
    'reporter webhook: url changed',
    'reporter webhook: secretFile changed from nothing to "s"',
    'reporter chat added',
  ]);
});

test('a reload tells what changes of locks, and of what asks for them', () => {
  const farm = (slots: number, ...locks: readonly LockWish[]): unknown =>
    defineMaster({
      title: 'T',
      workers: [worker('sid')],
      projects: [
        project('kate', {
          builders: [
            builder('debian', {
              workers: ['sid'],
              locks,
              steps: [sh('check', 'make check', { locks: [masterLock('vpn', { slots })] })],
            }),
          ],
        }),
      ],
    });
  const one = shape('1', farm(1));
  expect(diffShapes(one, shape('2', farm(2, workerLock('cpu').exclusive())))).toEqual([
    'lock cpu added',
    'lock vpn: slots changed from 1 to 2',
    expect.stringMatching(/^project kate: builder debian: locks changed from \[\] to .*"cpu".*"exclusive"/),
  ]);
});
