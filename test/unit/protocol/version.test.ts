import { describe, expect, it } from 'vitest';
import { chooseVersion } from '../../../src/protocol/version.ts';

describe('the version of the protocol', () => {
  it('is the highest that both speak', () => {
    expect(chooseVersion([1, 2, 3, 9], [2, 3, 4])).toEqual({ protocol: 3 });
  });

  it('is refused with what is spoken when none is common', () => {
    const choice = chooseVersion([7], [1, 2]);
    expect(choice).toMatchObject({ goodbye: { code: 'version', spoken: [1, 2] } });
    expect(chooseVersion([], [1])).toHaveProperty('goodbye');
  });
});
