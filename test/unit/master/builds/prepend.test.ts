import { expect, test } from 'vitest';
import { withPrepended } from '../../../../src/master/builds/prepend.ts';
import { runOk } from '../../../support/run.ts';

async function ran(words: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const [program = '', ...args] = words;
  return await runOk(program, args, { env });
}

test('folders come before those that are there, and none is empty where none was', async () => {
  const prepend = { ONE: ['/a b', "/it's"], TWO: ['/$(echo x)`y`'], THREE: ['/c'] };
  const words = withPrepended('printf "%s|" "$ONE" "$TWO" "$THREE"', prepend);
  expect(await ran(words, { ONE: '/x:/y', TWO: '', THREE: '/"z"' })).toBe('/a b:/it\'s:/x:/y|/$(echo x)`y`|/c:/"z"|');
});

test('a program has its arguments as they are', async () => {
  const words = withPrepended(['printf', '%s|', '--', 'a b', '$1', ''], { ONE: ['/a'] });
  expect(await ran(words, {})).toBe('--|a b|$1||');
});

test('a program is looked for where the new path says', async () => {
  const words = withPrepended(['pwd-of-nowhere'], { PATH: ['/nowhere'] });
  await expect(ran(words, {})).rejects.toThrow(/127/);
});
