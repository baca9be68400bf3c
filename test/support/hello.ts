import type { Fields } from '../../src/protocol/messages.ts';

/** The hello of a worker that a test plays. */
export const HELLO: Fields<'hello'> = {
  protocols: [1],
  implementation: 'test',
  version: '1',
  worker: 'w1',
  installId: 'i1',
  bootId: 'b1',
  processId: 'p1',
  capabilities: [],
  host: 'here',
  facts: {},
};
