import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { readRemoteCall, sshArguments } from '../../../src/cli/client/remote-call.ts';
import { isLocalCommand } from '../../../src/cli/local-commands.ts';
import { VERBS } from '../../../src/frontdoor/verbs/all.ts';
import { splitWords } from '../../../src/frontdoor/words.ts';
import { trunkline } from '../../support/farm.ts';

const read = (args: string[], master?: string) => readRemoteCall(args, { TRUNKLINE_MASTER: master });

test('--master takes all that follows, the variable what is no command here', () => {
  expect(read(['--master', 'a@b', 'worker', 'start'])).toEqual({ master: 'a@b', words: ['worker', 'start'] });
  expect(read(['--master=a@b', 'status'], 'c')).toEqual({ master: 'a@b', words: ['status'] });
  expect(read(['worker', 'add', 'w'], 'c')).toEqual({ master: 'c', words: ['worker', 'add', 'w'] });
  for (const args of [['worker', 'start', 'd'], ['--help'], []]) expect(read(args, 'c')).toBeUndefined();
  for (const master of ['', undefined]) expect(read(['status'], master)).toBeUndefined();
  expect(() => read(['--master'])).toThrow('--master wants USER@HOST');
  // The help of a verb is the master's, too.
  expect(read(['help', 'try'], 'c')).toEqual({ master: 'c', words: ['help', 'try'] });
  for (const args of [['help'], ['help', 'worker']]) expect(read(args, 'c')).toBeUndefined();
});

test('what is known of the commands without loading them is what they are', async () => {
  for (const name of [[], ['worker']]) {
    const { text } = await trunkline([...name, '--help']);
    const commands = Array.from(
      text.slice(text.indexOf('Commands:')).matchAll(/^ {2}([a-z]+)/gm),
      ([, word = '']) => word,
    );
    expect(commands.length).toBeGreaterThan(2);
    for (const word of commands) expect([word, isLocalCommand([...name, word])]).toEqual([word, true]);
  }
  // Whoever means the verb of such a name says `--master`.
  const verbs = VERBS.map(({ name }) => name.split(' ')).filter(isLocalCommand);
  expect(verbs.every(([noun]) => noun === 'worker')).toBe(true);
});

test('a verb without a master tells how one is named', async () => {
  for (const words of [
    ['force', 'a/b'],
    ['worker', 'add', 'w'],
    ['help', 'try'],
  ]) {
    const { status, stderr } = await trunkline(words);
    expect([status, stderr]).toEqual([
      64,
      expect.stringMatching(/" is said to a master: trunkline --master USER@HOST.*, or set TRUNKLINE_MASTER=/),
    ]);
  }
});

test.each([
  ['ci', ['-T', '--', 'ci']],
  ['ann@ci.example.org:2222', ['-T', '-p', '2222', '--', 'ann@ci.example.org']],
  ['ann@[::1]:22', ['-T', '-p', '22', '--', 'ann@::1']],
])('%s is a master', (master, args) => {
  expect(sshArguments({ master, words: ['status'] })).toEqual([...args, 'status']);
});

test.each(['', '-oProxyCommand=x', 'ann@-x', '-l@ci', 'a b', 'ci:99999', 'ci:x', 'a@b@c', 'ci:', 'ssh://ci'])(
  '"%s" is no master, and becomes no option of ssh',
  (master) => {
    expect(() => sshArguments({ master, words: ['status'] })).toThrow('names no master');
  },
);

test('whatever the words are, the master takes them apart as they were', () => {
  assert(
    property(array(string({ unit: 'binary' }), { minLength: 1 }), (words) => {
      expect(splitWords(sshArguments({ master: 'ci', words }).at(-1) ?? '')).toEqual(words);
    }),
  );
});
