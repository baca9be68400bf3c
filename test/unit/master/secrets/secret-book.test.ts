import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import type { SecretShape } from '../../../../src/config/shape.ts';
import { SecretBook } from '../../../../src/master/secrets/secret-book.ts';
import { temporaryFolder } from '../../config/try-config.ts';

const KATE = { project: 'kate', isUntrusted: false };

interface Stand {
  readonly dir: string;
  readonly clock: FakeClock;
  readonly book: SecretBook;
}

async function stand(env: NodeJS.ProcessEnv = {}): Promise<Stand> {
  const dir = await temporaryFolder();
  const clock = new FakeClock();
  return { dir, clock, book: new SecretBook({ dir, clock, env }) };
}

function secretOf(from: SecretShape['from'], use: Partial<SecretShape> = {}): SecretShape {
  return { name: 'key', from, projects: ['kate'], ...use };
}

const FILE = secretOf({ kind: 'file', path: 'key' });
const command = (...argv: string[]): SecretShape => secretOf({ kind: 'command', argv, timeoutMs: 20_000 });

/** The value that comes of a file with this content, or what is told. */
async function fileOf(content: string | Buffer, mode = 0o600): Promise<string> {
  const { dir, book } = await stand();
  await writeFile(join(dir, 'key'), content, { mode });
  return await book.read([FILE], KATE, 'key').catch((error: Error) => `! ${error.message.replaceAll(dir, 'DIR')}`);
}

test('a file is read at each use, without one newline at its end', async () => {
  expect(await fileOf('correct horse\n')).toBe('correct horse');
  expect(await fileOf('correct\r\nhorse\r\n')).toBe('correct\r\nhorse');
  expect(await fileOf('two lines\n\n')).toBe('two lines\n');
  const { dir, book } = await stand();
  await writeFile(join(dir, 'key'), 'the first one', { mode: 0o600 });
  expect(await book.read([FILE], KATE, 'key')).toBe('the first one');
  await writeFile(join(dir, 'key'), 'the next one');
  expect(await book.read([FILE], KATE, 'key')).toBe('the next one');
});

test.each([
  ['empty', '\n', '! secret "key" is empty'],
  ['of blanks', '        \n', '! secret "key" is empty'],
  [
    'one letter long',
    'x\n',
    '! secret "key" is shorter than 6 bytes: it could not be masked in logs; use a longer one',
  ],
  ['as long as a secret may be', 'x'.repeat(16_384) + '\n', 'x'.repeat(16_384)],
  ['too long', 'x'.repeat(16_385), '! secret "key" is longer than 16384 bytes'],
  ['much too long', 'x'.repeat(100_000), '! secret "key": the file DIR/key is longer than 16386 bytes'],
  [
    'no UTF-8',
    Buffer.from([0x61, 0xff, 0xfe, 0x61, 0x61, 0x61, 0x61]),
    '! secret "key" is not UTF-8; store it as base64, and decode it where it is used',
  ],
  ['with a NUL', 'abcdef\0gh', '! secret "key" has a NUL in it; store it as base64, and decode it where it is used'],
])('a file that is %s is told for what it is, without a word of it', async (_what, content, told) => {
  expect(await fileOf(content)).toBe(told);
});

test('a file that is missing, or that others may read, is refused', async () => {
  const { dir, book } = await stand();
  await expect(book.read([FILE], KATE, 'key')).rejects.toThrow(
    `secret "key": the file ${join(dir, 'key')} is missing: put it there, mode 600`,
  );
  expect(await fileOf('correct horse', 0o644)).toBe(
    '! secret "key": the file DIR/key may be opened by others (mode 644): chmod 600 DIR/key',
  );
});

test('a variable is that of the master', async () => {
  const { book } = await stand({ TOKEN: 'correct horse' });
  expect(await book.read([secretOf({ kind: 'env', variable: 'TOKEN' })], KATE, 'key')).toBe('correct horse');
  await expect(book.read([secretOf({ kind: 'env', variable: 'OTHER' })], KATE, 'key')).rejects.toThrow(
    'secret "key": there is no OTHER in the environment of this process',
  );
});

test('a command is asked once a minute, by however many builds, and again when it failed', async () => {
  const { dir, clock, book } = await stand();
  const asked = command('/bin/sh', '-c', 'echo x >> count; test -f ready && echo correct horse');
  const count = async (): Promise<number> => (await readFile(join(dir, 'count'), 'utf8')).length / 2;
  await expect(book.read([asked], KATE, 'key')).rejects.toThrow(
    `secret "key": its command /bin/sh ended with status 1; run it by hand as the master's user to see why`,
  );
  await writeFile(join(dir, 'ready'), '');
  const all = await Promise.all(Array.from({ length: 5 }, () => book.read([asked], KATE, 'key')));
  expect(new Set(all)).toEqual(new Set(['correct horse']));
  expect(await count()).toBe(2);
  clock.advance(60_000);
  await book.read([asked], KATE, 'key');
  expect(await count()).toBe(3);
});

test('a command that is not there, prints too much, or never ends, is told of and ended', async () => {
  const { clock, book } = await stand();
  await expect(book.read([command('/no/such/program')], KATE, 'key')).rejects.toThrow(
    'secret "key": its command /no/such/program cannot be started: spawn /no/such/program ENOENT',
  );
  await expect(book.read([command('yes', 'the secret')], KATE, 'key')).rejects.toThrow(
    'secret "key": its command yes printed more than 16384 bytes',
  );
  const slow = book.read([command('/bin/sh', '-c', 'sleep 1000 & wait')], KATE, 'key');
  const ended = expect(slow).rejects.toThrow('secret "key": its command /bin/sh took longer than 20s');
  clock.advance(20_000);
  await ended;
});

test('what a command complains of is in no message', async () => {
  const { book } = await stand();
  const failing = command('/bin/sh', '-c', 'echo correct horse; echo correct horse >&2; exit 3');
  const error = await book.read([failing], KATE, 'key').catch((one: unknown) => one);
  expect(String((error as Error).stack)).toMatch(/ended with status 3/);
  expect(String((error as Error).stack)).not.toMatch(/correct horse/);
});

test('only builds of its projects are given it, and of forks only if it says so', async () => {
  const { dir, book } = await stand();
  await writeFile(join(dir, 'key'), 'correct horse', { mode: 0o600 });
  const fork = { project: 'kate', isUntrusted: true };
  await expect(book.read([FILE], { project: 'okular', isUntrusted: false }, 'key')).rejects.toThrow(
    'secret "key" is not for project okular; add "okular" to the secret\'s projects',
  );
  await expect(book.read([FILE], fork, 'key')).rejects.toThrow(
    'secret "key" is not given to builds of what is untrusted, such as pull requests of forks; say forks: true to allow it',
  );
  await expect(book.read([FILE], KATE, 'other')).rejects.toThrow(
    'there is no secret "other" in the configuration of this build',
  );
  expect(await book.read([{ ...FILE, forks: true }], fork, 'key')).toBe('correct horse');
  expect(await book.read([{ ...FILE, projects: 'all' }], { ...KATE, project: 'okular' }, 'key')).toBe('correct horse');
});

test('what is missing or unfit is listed without a command being run', async () => {
  const { dir, book } = await stand();
  await writeFile(join(dir, 'key'), 'x');
  await chmod(join(dir, 'key'), 0o600);
  const touch = { ...command('touch', 'ran'), name: 'asked' };
  const gone = secretOf({ kind: 'file', path: 'gone' }, { name: 'gone' });
  expect(await book.mistakes([FILE, touch, gone])).toEqual([
    'secret "key" is shorter than 6 bytes: it could not be masked in logs; use a longer one',
    `secret "gone": the file ${join(dir, 'gone')} is missing: put it there, mode 600`,
  ]);
  await expect(readFile(join(dir, 'ran'))).rejects.toThrow('ENOENT');
});
