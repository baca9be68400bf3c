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
  const properties = initialProperties({ ...REQUEST, ...joined }, 'w', ofBuilder);
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
