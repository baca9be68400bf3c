import { expect, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import type { AnswerCall, Feed } from '../../../src/config/code-host.ts';
import { configOf, exited, tryConfig } from './try-config.ts';

// Threads are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

/** Feeds the pieces to each command, one after the other; notes what became of them. */
function feeding(pieces: readonly string[], taken: boolean[] = []): AnswerCall {
  return async (call, _attempt, feed) => {
    if (call.kind !== 'run') return { ok: null };
    for (const piece of pieces) taken.push(await feed(Buffer.from(piece)));
    return { ok: exited(0) };
  };
}

const COLLECT = `step('collect', async (ctx) => {
  const lines = [];
  await ctx.run('make', { onLine: (line) => { lines.push(line); } });
  return { result: 'success', summary: lines.join('|') };
})`;

test('an observer has all lines, also a last one without an end, before the command’s result', async () => {
  const { step } = await tryConfig(configOf(COLLECT));
  const taken: boolean[] = [];
  expect(await step(0, feeding(['on', 'e\ntw', 'o\nthr', 'ee'], taken))).toEqual({
    result: 'success',
    summary: 'one|two|three',
  });
  expect(taken).toEqual([true, true, true, true]);
});

test('the call says that it is observed, and only then', async () => {
  const { step } = await tryConfig(configOf(`${COLLECT}, sh('plain', 'make')`));
  const observed: unknown[] = [];
  for (const index of [0, 1]) {
    await step(index, async (call) => {
      if (call.kind === 'run') observed.push(call.args.isObserved);
      return { ok: exited(0) };
    });
  }
  expect(observed).toEqual([true, undefined]);
});

test('branches that run side by side have the lines of their own commands', async () => {
  const { step } = await tryConfig(
    configOf(`step('both', async (ctx) => {
      const read = (word) => async (own) => {
        const lines = [];
        await own.run(word, { onLine: (line) => { lines.push(line); } });
        return lines.join();
      };
      const { left, right } = await ctx.parallel({ left: read('L'), right: read('R') });
      return { result: 'success', summary: left + ' ' + right };
    })`),
  );
  const answer: AnswerCall = async (call, _attempt, feed) => {
    if (call.kind !== 'run') return { ok: null };
    for (let n = 0; n < 3; n++) await feed(Buffer.from(`${String(call.args.command)}${n}\n`));
    return { ok: exited(0) };
  };
  expect(await step(0, answer)).toEqual({ result: 'success', summary: 'L0,L1,L2 R0,R1,R2' });
});

test.each([
  ['throws', "throw new Error('no such line');", 'Error: no such line'],
  ['makes a call', "void ctx.setProperty('x', 1);", 'while ctx.run was under way'],
])('an observer that %s ends its step as an exception, and nothing more is fed', async (_what, code, told) => {
  const { step } = await tryConfig(
    configOf(`step('odd', async (ctx) => {
      await ctx.run('make', { onLine: (line) => { if (line === 'bad') { ${code} } } }).catch(() => 'caught');
    })`),
  );
  const fed = deferred<Feed>();
  const report = await step(0, async (_call, _attempt, feed) => {
    fed.resolve(feed);
    while (await feed(Buffer.from('good\nbad\n'))) continue;
    return { ok: exited(0) };
  });
  expect(report).toMatchObject({ result: 'exception', summary: expect.stringContaining(told) });
  expect(report.detail).toContain('trunkline.config.ts:10');
  const feed = await fed.promise;
  expect(await feed(Buffer.from('late\n'))).toBe(false);
});

test('an observer that throws at the last line, which has no end, ends its step as an exception', async () => {
  const { step } = await tryConfig(
    configOf(`step('odd', async (ctx) => {
      await ctx.run('make', { onLine: () => { throw new Error('no'); } });
    })`),
  );
  expect(await step(0, feeding(['half']))).toMatchObject({ result: 'exception', summary: 'Error: no' });
});

test('what is no function is told', async () => {
  const { step } = await tryConfig(configOf("step('odd', async (ctx) => { await ctx.run('make', { onLine: 'x' }); })"));
  expect(await step(0)).toMatchObject({ result: 'exception', summary: 'TypeError: onLine is no function' });
});

test('an observer that spins is named and ended; one of another step is fed again from the first byte', async () => {
  const { step, log } = await tryConfig(
    configOf(`${COLLECT}, step('spins', async (ctx) => { await ctx.run('make', { onLine: () => { for (;;); } }); })`),
    { spinLimitMs: 1_000 },
  );
  const isFed = deferred();
  const attempts: number[] = [];
  const collects = step(0, async (_call, attempt, feed) => {
    attempts.push(attempt);
    const first = await feed(Buffer.from('one\n'));
    isFed.resolve();
    // In the first life of the thread the second piece comes when it is gone.
    if (attempt === 1) await spun;
    const second = await feed(Buffer.from('two\n'));
    expect([first, second]).toEqual(attempt === 1 ? [true, false] : [true, true]);
    return { ok: exited(0) };
  });
  const spun = isFed.promise.then(() => step(1, feeding(['x\n'])));
  expect(await spun).toMatchObject({
    result: 'exception',
    summary: expect.stringMatching(/^the step's code spun for .* without yielding$/),
  });
  expect(await collects).toEqual({ result: 'success', summary: 'one|two' });
  expect(attempts).toEqual([1, 2]);
  expect(log.lines.join('\n')).toContain('step spins has not yielded');
});
