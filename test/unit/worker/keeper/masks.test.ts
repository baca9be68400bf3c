import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Masker } from '../../../../src/model/mask.ts';
import type { Keeper } from '../../../../src/worker/keeper/keeper.ts';
import { finished, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const SECRET = 'correct horse battery staple';
const MASKS = { masks: [Buffer.from(SECRET)] };
const KiB = 1024;
const LIMITS = { segmentBytes: 4 * KiB, commandBytes: 1024 * KiB };
/** 64 KiB in which the secret lies at each offset of a segment, and over each edge of one. */
const OUTPUT = Buffer.from(Array.from({ length: 1_500 }, (_, n) => `${'.'.repeat(n % 29)}${SECRET}\n`).join(''));
const PRINT =
  'i=0; while [ $i -lt 1500 ]; do printf "%.*s%s\\n" $((i % 29)) ............................. "$SECRET"; i=$((i + 1)); done';

/** What a sender gets that goes on from `from`, asks for so much at a time, and goes back once to each of the offsets. */
async function sent(
  keeper: Keeper,
  command: string,
  sizes: readonly number[],
  wants: readonly number[] = [],
): Promise<Buffer> {
  const { outputEnd } = (await keeper.find(command))!;
  const out = Buffer.alloc(outputEnd);
  const backTo = [...wants];
  for (let at = 0, n = 0; at < outputEnd; n++) {
    const piece = await keeper.read(command, at, sizes[n % sizes.length] ?? 1);
    expect(piece.byteLength).toBeGreaterThan(0);
    out.set(piece, at);
    at += piece.byteLength;
    if (backTo.length > 0 && at > (backTo[0] ?? 0)) at = backTo.shift() ?? at;
  }
  return out;
}

test('no piece that is read of an output shows a secret, wherever it is cut, and when it is read again', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  const env = { ...spool.shell('c', '').env, SECRET };
  await keeper.start(spool.shell('c', PRINT, { ...MASKS, env }));
  await finished(keeper, 'c');
  const wanted = Buffer.from(new Masker(MASKS.masks).mask(OUTPUT).bytes);
  expect(wanted.includes('horse')).toBe(false);
  expect(await sent(keeper, 'c', [100_000])).toEqual(wanted);
  expect(await sent(keeper, 'c', [1, 7, 30, 4_096, 13], [5_000, 4_090, 4_100, 100])).toEqual(wanted);
  await keeper.close();
  // Another daemon, which has only the files.
  expect(await sent(await spool.open(), 'c', [999])).toEqual(wanted);
});

test('an acknowledged half of a secret is kept until the other half is masked', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(
    spool.shell('c', `printf '%4090s'; printf %s "$SECRET"; printf '%9000s'`, {
      ...MASKS,
      env: { PATH: process.env['PATH'] ?? '', SECRET },
    }),
  );
  await finished(keeper, 'c');
  // A whole segment, with the first letters of the secret in it.
  await keeper.acknowledge('c', 4_096);
  expect((await keeper.find('c'))?.outputStart).toBe(0);
  const rest = Buffer.from(await keeper.read('c', 4_096, 100)).toString();
  expect(rest).toBe(`${'*'.repeat(SECRET.length - 6)}${' '.repeat(100 - SECRET.length + 6)}`);
  await keeper.acknowledge('c', 9_000);
  expect((await keeper.find('c'))?.outputStart).toBe(8 * KiB);
});

test('what may become a secret is given out when it is known to be none, or the command has ended', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  const script = `printf 'it is correct'; read -r _ < go; printf ' indeed, cor'`;
  await keeper.start(spool.shell('c', `mkfifo go; ${script}`, MASKS));
  const said = await until('it waits', async () => {
    const piece = await keeper.read('c', 0, 100);
    return (await keeper.find('c'))?.outputEnd === 13 && Buffer.from(piece).toString();
  });
  expect(said).toBe('it is ');
  await writeFile(join(spool.work, 'go'), '\n');
  await finished(keeper, 'c');
  expect(Buffer.from(await keeper.read('c', 0, 100)).toString()).toBe('it is correct indeed, cor');
});

test('of a log with a limit neither its head nor its tail ends in a half of a secret', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  const env = { ...spool.shell('c', '').env, SECRET };
  await keeper.start(spool.shell('c', PRINT, { ...MASKS, env, logMaxBytes: 16 * KiB }));
  const held = await finished(keeper, 'c');
  const { headBytes, tailBytes } = held.cap!;
  const head = Buffer.concat(await pieces(keeper, 0, headBytes));
  const tail = Buffer.concat(await pieces(keeper, held.outputEnd - tailBytes, held.outputEnd));
  expect([head.length, tail.length]).toEqual([headBytes, tailBytes]);
  for (const kept of [head, tail]) expect(kept.toString()).toMatch(/^[.*\n]*(?:[a-z ]{1,3})?$/);
});

async function pieces(keeper: Keeper, from: number, to: number): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let at = from; at < to; at += all.at(-1)?.byteLength ?? 0) {
    all.push(await keeper.read('c', at, Math.min(1_000, to - at)));
    if (all.at(-1)?.byteLength === 0) throw new Error(`nothing at ${at}`);
  }
  return all;
}

test('a command that was ended in the middle of a secret does not show the half of it, nor does its message', async () => {
  const spool = await SpoolFixture.make({ ...LIMITS, drainMs: 200 });
  const keeper = await spool.open();
  await keeper.start(spool.shell('c', `printf 'it is correct horse'; sleep 1000 & disown 2>/dev/null; exit 0`, MASKS));
  const held = await finished(keeper, 'c');
  expect(held.outcome?.cut).toBe('held');
  const all = Buffer.from(await keeper.read('c', 0, 1_000)).toString();
  const rest = Buffer.from(await keeper.read('c', all.length, 1_000)).toString();
  expect(all).toBe('it is *************');
  expect(rest).toMatch(/^\n\[trunkline: the output ends here/);
  await keeper.start(spool.spec('d', [`/no/${SECRET}`], MASKS));
  expect((await finished(keeper, 'd')).outcome?.message).toMatch(/^no such program: \/no\/\*{28} /);
});

test('masks lie beside the output, for nobody but the worker, and go with it', async () => {
  const spool = await SpoolFixture.make(LIMITS);
  const keeper = await spool.open();
  await keeper.start(spool.shell('c', `echo "$SECRET"`, { ...MASKS, env: { SECRET } }));
  await finished(keeper, 'c');
  const dir = join(spool.dir, 'c');
  for (const name of await readdir(dir)) expect([name, (await stat(join(dir, name))).mode & 0o077]).toEqual([name, 0]);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  expect(JSON.parse(await readFile(join(dir, 'masks.json'), 'utf8'))).toEqual({
    masks: [Buffer.from(SECRET).toString('base64')],
  });
  await keeper.forget('c');
  await expect(readdir(dir)).rejects.toThrow('ENOENT');
  await keeper.start(spool.shell('plain', 'true'));
  await finished(keeper, 'plain');
  expect(await readdir(join(spool.dir, 'plain'))).not.toContain('masks.json');
});
