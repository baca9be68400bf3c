import { expect, test } from 'vitest';
import { initialProperties } from '../../../../src/master/builds/initial-properties.ts';
import { joinedProperties } from '../../../../src/master/schedulers/joined-properties.ts';
import type { BuildRequest } from '../../../../src/model/build-request.ts';

const REQUEST: BuildRequest = {
  id: 1,
  buildSetId: 1,
  project: 'p',
  builder: 'b',
  priority: 0,
  reason: 'r',
  owner: 'dora',
  source: { branch: 'main' },
  properties: {},
  submittedAtMs: 1,
  rankAtMs: 1,
};

test('who asks wins over the change, the change over the builder, and that over what is known of the build', () => {
  const ofBuilder = { branch: 'builder', change: 'builder', scheduler: 'builder', request: 'builder', own: 'builder' };
  const joined = joinedProperties(
    ['change', { change: 'change', scheduler: 'change', request: 'change' }],
    ['scheduler', { scheduler: 'scheduler', request: 'scheduler' }],
    ['request', { request: 'request' }],
  );
  const properties = initialProperties({ ...REQUEST, ...joined }, 'w', { workers: [] }, { properties: ofBuilder });
  const facts = Object.fromEntries(properties.map(({ name, value, source }) => [name, [value, source]]));
  expect(facts).toEqual({
    project: ['p', 'build'],
    builder: ['b', 'build'],
    worker: ['w', 'build'],
    owner: ['dora', 'build'],
    branch: ['builder', 'builder'],
    own: ['builder', 'builder'],
    change: ['change', 'change'],
    scheduler: ['scheduler', 'scheduler'],
    request: ['request', 'request'],
  });
});

test('the worker wins over the builder, that over the farm, and none of them over who asks', () => {
  const config = {
    properties: { farm: 1, builder: 1, worker: 1, request: 1 },
    workers: [
      { name: 'x', maxBuilds: 1, properties: { other: 1 } },
      { name: 'w', maxBuilds: 1, properties: { worker: 2, request: 2 } },
    ],
  };
  const ofBuilder = { properties: { builder: 2, worker: 2, request: 2 } };
  const found = initialProperties({ ...REQUEST, properties: { request: 3 } }, 'w', config, ofBuilder);
  const sources = Object.fromEntries(found.map(({ name, source }) => [name, source]));
  expect(sources).toMatchObject({ farm: 'master', builder: 'builder', worker: 'worker', request: 'request' });
  expect(sources).not.toHaveProperty('other');
});
