import { expect, test, vi } from 'vitest';
import { openCodeHost } from '../../../src/config/open-code-host.ts';
import type { AnswerCall, StepCall } from '../../../src/config/code-host.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { answered, configOf, exited, noting, recordingLogger, tryConfig } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const runs = (calls: readonly StepCall[]): readonly unknown[] =>
  calls.map((call) => (call.kind === 'run' ? [call.key, call.args.command, call.args.log] : [call.key, call.kind]));

test('a shell step asks for its command with all that was given, and takes its result from the exit status', async () => {
  const { step } = await tryConfig(
    configOf(
      "sh('make', 'make -j4', { env: { A: 'b' }, cwd: 'sub', timeout: '5m', maxTime: '1h', killAfter: '3s', logLimit: '2MB' })",
    ),
  );
  const calls: StepCall[] = [];
  expect(await step(0, noting(calls))).toEqual({ result: 'success' });
  expect(calls).toEqual([
    {
      key: '1',
      kind: 'run',
      args: {
        command: 'make -j4',
        cwd: 'sub',
        env: { FROM: 'builder', A: 'b' },
        log: 'stdio',
        silenceMs: 300_000,
        totalMs: 3_600_000,
        killAfterMs: 3_000,
        logMaxBytes: 2_000_000,
      },
    },
  ]);
});

test('what a step is given may be functions of the context, which may ask and run what they like', async () => {
  const { step } = await tryConfig(
    configOf(`sh('make', async (ctx) => ['make', '-j' + (await ctx.run('nproc', { capture: 9 })).output], {
      cwd: (ctx) => ctx.property('dir'),
      env: { ALL: (ctx) => Object.keys(ctx.properties).join(), NONE: () => undefined, PLAIN: 'p' },
    }),
    reboot('again', (ctx) => 'reboot ' + ctx.build.worker, { cwd: () => 'there', env: () => ({ A: 'b' }) })`),
  );
  const calls: StepCall[] = [];
  const answer: AnswerCall = (call) => {
    if (call.kind === 'boot') return Promise.resolve({ ok: 'boot-1' });
    return Promise.resolve({ ok: call.kind === 'reboot' ? null : { ...exited(0), captured: '4' } });
  };
  expect(await step(0, noting(calls, answer), { properties: { dir: 'sub', jobs: 3 } })).toEqual({ result: 'success' });
  expect(calls.map(({ args }) => args)).toMatchObject([
    { command: 'nproc', log: 'stdio' },
    {
      command: ['make', '-j4'],
      cwd: 'sub',
      env: { FROM: 'builder', ALL: 'dir,jobs', PLAIN: 'p' },
      log: 'stdio-2',
    },
  ]);
  expect(calls[1]).not.toHaveProperty('args.env.NONE');
  calls.length = 0;
  expect(await step(1, noting(calls, answer))).toEqual({ result: 'success' });
  expect(calls.at(-1)?.args).toMatchObject({ command: 'reboot sid', cwd: 'there', env: { FROM: 'builder', A: 'b' } });
});

test.each([
  ["doIf: () => 'yes'", 'doIf said "yes"; it must say true or false'],
  ["doIf: () => { throw new Error('no idea'); }", 'Error: no idea'],
  ['hideIf: () => 1', 'hideIf said 1; it must say true or false'],
  ['description: () => 7', 'the description is number; give a text'],
  ['descriptionDone: () => ({})', 'descriptionDone is object; give a text'],
])('what is asked besides the function, and says what it should not (%s), is an exception', async (option, told) => {
  const { step } = await tryConfig(configOf(`step('odd', () => 'success', { ${option} })`));
  expect(await step(0)).toMatchObject({ result: 'exception', summary: expect.stringContaining(told) });
});

test('a step that is hidden in some ends is asked about the one it had, also when its code threw', async () => {
  const { step } = await tryConfig(
    configOf(`step('odd', () => { throw new Error('no'); }, { hideIf: (result) => result === 'exception' }),
      step('even', () => 'failure', { hideIf: (result) => result === 'exception' })`),
  );
  expect(await step(0)).toMatchObject({ result: 'exception', summary: 'Error: no', isHidden: true });
  expect(await step(1)).toEqual({ result: 'failure' });
});

test.each([
  [0, 'retry', undefined],
  [1, 'warnings', 'exit 1'],
  [2, 'failure', 'exit 2'],
  [77, 'skipped', 'exit 77'],
])('an exit status of %i means %s where the step says so', async (exitCode, result, summary) => {
  const { step } = await tryConfig(
    configOf("sh('make', 'make', { exitCodes: { 0: 'retry', 1: 'warnings', 77: 'skipped' } })"),
  );
  const answer: AnswerCall = () => Promise.resolve({ ok: exited(exitCode) });
  expect(await step(0, answer)).toEqual({ result, ...(summary !== undefined && { summary }) });
  // What we ended had no say in it.
  const ended: AnswerCall = () => Promise.resolve({ ok: { ...exited(exitCode), ended: 'total' } });
  expect(await step(0, ended)).toMatchObject({ result: 'failure', summary: expect.stringContaining('timed out') });
});

test('an environment is printed by a command of its own, with the same variables', async () => {
  const { step } = await tryConfig(
    configOf(
      "sh('make', 'make', { logEnvironment: true, cwd: 'sub', env: { A: 'b' }, prepend: { PATH: ['x'] }, stdin: 's' })",
    ),
  );
  const calls: StepCall[] = [];
  expect(await step(0, noting(calls))).toEqual({ result: 'success' });
  const same = { cwd: 'sub', env: { FROM: 'builder', A: 'b' }, prepend: { PATH: ['x'] } };
  expect(calls.map(({ args }) => args)).toMatchObject([
    { command: ['env'], log: 'environment', ...same },
    { command: 'make', log: 'stdio', stdin: 's', ...same },
  ]);
});

test('what a function throws is told as an error of the step', async () => {
  const { step } = await tryConfig(configOf("sh('make', () => { throw new Error('no command'); })"));
  expect(await step(0)).toMatchObject({ result: 'exception', summary: 'Error: no command' });
});

test.each<[JsonObject, string]>([
  [exited(2), 'exit 2'],
  [{ ...exited(0), status: 'signalled', exitCode: null, signal: 'SIGSEGV' }, 'killed by SIGSEGV'],
  [{ ...exited(0), ended: 'silence' }, 'timed out after 20m without output'],
  [{ ...exited(0), ended: 'total' }, 'timed out after 2h in all'],
  [{ ...exited(0), status: 'refused', message: 'no such program: mkae' }, 'no such program: mkae'],
])('a command that ended as %j fails its step in words', async (ok, summary) => {
  const { step } = await tryConfig(configOf("sh('make', 'mkae', { maxTime: '2h' })"));
  expect(await step(0, () => Promise.resolve({ ok }))).toEqual({ result: 'failure', summary });
});

test('calls are numbered, in branches by name, and each command has a log of its own', async () => {
  const { step } = await tryConfig(
    configOf(`step('all', async (ctx) => {
      await ctx.run('one');
      await ctx.now();
      await ctx.parallel({
        left: async (left) => { await left.run('l1'); await left.run('l2'); },
        right: async (right) => { await right.parallel({ deep: (deep) => deep.run(['r', '1']) }); },
      });
      await ctx.parallel({ left: (left) => left.run('again') });
      await ctx.run('two');
      await ctx.run('named', { log: 'tests' });
    })`),
  );
  const calls: StepCall[] = [];
  expect(await step(0, noting(calls))).toEqual({ result: 'success' });
  const made = runs(calls);
  const expected = [
    ['1', 'one', 'stdio'],
    ['2', 'now'],
    ['3.left.1', 'l1', 'stdio-left'],
    ['3.left.2', 'l2', 'stdio-left-2'],
    ['3.right.1.deep.1', ['r', '1'], 'stdio-right.deep'],
    ['4.left.1', 'again', 'stdio-2.left'],
    ['5', 'two', 'stdio-2'],
    ['6', 'named', 'tests'],
  ];
  expect(made).toEqual(expect.arrayContaining(expected));
  expect(made).toHaveLength(expected.length);
});

test.each([
  [
    'a second call before the first has answered',
    'const a = ctx.run("a"); await ctx.run("b"); await a;',
    'await each call',
  ],
  ['the outer context in a branch', 'await ctx.parallel({ a: () => ctx.run("x") });', 'the context it gives'],
  ['a call that is not awaited', 'void ctx.run("a");', 'the function ended while ctx.run was under way'],
  [
    'one log for two commands',
    'await ctx.run("a", { log: "x" }); await ctx.run("b", { log: "x" });',
    'name it otherwise',
  ],
  ['a time that is none', 'await ctx.run("a", { timeout: "5 min" });', 'write a time like'],
  ['a limit that is none', 'await ctx.run("a", { logLimit: "2KB" });', 'write a size like'],
  ['a result that is none', 'return "good";', 'returned "good"; return nothing, or one of'],
  ['a value that is not JSON', 'await ctx.setProperty("x", () => 1);', 'JSON'],
  ['an empty command', 'await ctx.run([]);', 'empty command'],
  [
    'a variable that is none',
    "await ctx.run('a', { prepend: { 'A;B': ['x'] } });",
    'no name of an environment variable',
  ],
  ['an empty folder', "await ctx.run('a', { prepend: { PATH: [''] } });", 'prepend PATH: give a list of folders'],
])('%s ends the step as an exception that says what to do', async (_what, code, told) => {
  const { step } = await tryConfig(configOf(`step('odd', async (ctx) => { ${code} })`));
  const report = await step(0);
  expect(report).toMatchObject({ result: 'exception', summary: expect.stringContaining(told) });
});

test('an error of a step is shown with its place in the file, and nothing of ours', async () => {
  const { step } = await tryConfig(
    configOf("step('odd', async (ctx) => {\n  await ctx.now();\n  throw new Error('no');\n})"),
  );
  const report = await step(0);
  expect(report).toMatchObject({ result: 'exception', summary: 'Error: no' });
  expect(report.detail).toMatch(/^Error: no\n +at .*trunkline\.config\.ts:11:9\)?$/);
});

test('ctx.fail and a refused file operation are failures; a caught one is not', async () => {
  const refused: AnswerCall = () => Promise.resolve({ error: 'a.txt: no such file' });
  const { step } = await tryConfig(
    configOf(`step('fails', (ctx) => ctx.fail('no version')),
      step('uploads', async (ctx) => { await ctx.upload('a.txt', 'b.txt'); }),
      step('tries', async (ctx) => { await ctx.upload('a.txt', 'b.txt').catch(() => 0); })`),
  );
  expect(await step(0)).toEqual({ result: 'failure', summary: 'no version' });
  expect(await step(1, refused)).toEqual({ result: 'failure', summary: 'a.txt: no such file' });
  expect(await step(2, refused)).toEqual({ result: 'success' });
});

test('an answer that ends the step ends it whatever its function would do', async () => {
  const { step } = await tryConfig(
    configOf("step('stubborn', async (ctx) => { for (;;) await ctx.run('x').catch(() => 0); })"),
  );
  const end = { result: 'cancelled', summary: 'stopped by anna' } as const;
  expect(await step(0, () => Promise.resolve({ end }))).toEqual(end);
});

test('an answer that cannot be had is an exception', async () => {
  const { step } = await tryConfig(configOf("sh('make', 'make')"));
  const report = await step(0, () => Promise.reject(new Error('disk full')));
  expect(report).toEqual({ result: 'exception', summary: 'run (call 1) could not be answered: disk full' });
});

test('once runs its function when it is not recorded, and gives the record otherwise', async () => {
  const { step } = await tryConfig(
    configOf(`step('once', async (ctx) => {
      const n = await ctx.once('mail', () => ({ sent: 1 }), { idempotent: true });
      await ctx.setProperty('sent', n.sent);
    }), step('throws', async (ctx) => { await ctx.once('mail', () => { throw new Error('no route'); }); })`),
  );
  const first: StepCall[] = [];
  expect(await step(0, noting(first))).toEqual({ result: 'success' });
  expect(first).toEqual([
    { key: '1', kind: 'once', args: { name: 'mail', isIdempotent: true } },
    { key: '1', kind: 'once.done', args: { value: { sent: 1 } } },
    { key: '2', kind: 'setProperty', args: { name: 'sent', value: 1 } },
  ]);
  const second: StepCall[] = [];
  await step(
    0,
    noting(second, () => Promise.resolve({ ok: { isDone: true, value: { sent: 5 } } })),
  );
  expect(second.map(({ kind, args }) => [kind, args])).toEqual([
    ['once', { name: 'mail', isIdempotent: true }],
    ['setProperty', { name: 'sent', value: 5 }],
  ]);
  const third: StepCall[] = [];
  expect(await step(1, noting(third))).toEqual({ result: 'failure', summary: 'once("mail"): no route' });
  expect(third.at(-1)).toEqual({ key: '1', kind: 'once.done', args: { error: 'once("mail"): no route' } });
});

test("a step sees the build, the project's source, and the properties it sets", async () => {
  const { step } = await tryConfig(
    configOf(`step('see', async (ctx) => {
      await ctx.setProperty('b', [1, { c: null }]);
      return { result: 'warnings', summary: JSON.stringify([ctx.property('a'), ctx.property('b'), ctx.build.id, ctx.build.source]) };
    })`),
  );
  const report = await step(0, answered, { properties: { a: 'x' }, source: { revision: 'abc' } });
  expect(report.result).toBe('warnings');
  expect(JSON.parse(report.summary ?? '')).toEqual([
    'x',
    [1, { c: null }],
    7,
    { repository: 'https://git.example.org/kate.git', revision: 'abc' },
  ]);
});

test.each([
  ['after a call', 'await ctx.run("x"); for (;;);'],
  ['in a timer', 'await new Promise(() => setTimeout(() => { for (;;); }, 1));'],
  ['in promises without end', 'for (;;) await null;'],
])('a step that spins %s is named and ended; the other is run again from its first call', async (_when, code) => {
  const { step, log } = await tryConfig(
    configOf(`step('spins', async (ctx) => { ${code} }),
      step('waits', async (ctx) => { await ctx.run('long'); return (await ctx.run('short')).ok ? 'success' : 'failure'; })`),
    { spinLimitMs: 4_000 },
  );
  const calls: [string, number][] = [];
  let begun = (): void => undefined;
  const isWaiting = new Promise<void>((resolve) => (begun = resolve));
  const waits = step(1, async (call, attempt, feed) => {
    calls.push([call.key, attempt]);
    begun();
    // In the first life of the thread it is never answered: its answer is wanted anew in the second.
    if (attempt === 1) await new Promise(() => undefined);
    return await answered(call, attempt, feed);
  });
  await isWaiting;
  expect(await step(0)).toEqual({
    result: 'exception',
    summary: expect.stringMatching(/^the step's code spun for \d.*s without yielding$/),
  });
  expect(await waits).toEqual({ result: 'success' });
  expect(calls[0]).toEqual(['1', 1]);
  expect(calls.slice(-2).map(([key]) => key)).toEqual(['1', '2']);
  expect(log.lines.join('\n')).toContain('step spins has not yielded for');
});

test.each([
  [
    'throws in a timer',
    'setTimeout(() => { throw new Error("late"); }, 1); await new Promise(() => 0);',
    /not caught: Error: late/,
  ],
  [
    'forgets a promise',
    'void Promise.reject(new Error("late")); await new Promise(() => 0);',
    /nobody awaited .*: Error: late/,
  ],
  ['ends the thread', 'await ctx.now(); process.exit(3);', /ended the thread of user code \(exit 3\)/],
  [
    'eats all memory',
    'const a = []; for (;;) { a.push(new Array(1000).fill({})); await null; }',
    /more than 64 MB of memory/,
  ],
])('a step that %s ends as an exception, and the next one runs', async (_what, code, told) => {
  const { step } = await tryConfig(configOf(`step('bad', async (ctx) => { ${code} }), sh('good', 'true')`), {
    memoryMb: 64,
  });
  expect(await step(0)).toMatchObject({ result: 'exception', summary: expect.stringMatching(told) });
  expect(await step(1)).toEqual({ result: 'success' });
});

test('a configuration that spins while it is loaded is refused, and the old one still works', async () => {
  const { step, host } = await tryConfig(configOf("sh('good', 'true')"), { spinLimitMs: 4_000 });
  await expect(host.load('spins', Buffer.from('for (;;);'))).rejects.toThrow(/spun for .* while it was loaded/);
  expect(await step(0)).toEqual({ result: 'success' });
});

test('a configuration that awaits for ever is refused', async () => {
  const host = openCodeHost({ logger: recordingLogger(), loadLimitMs: 500 });
  const load = host.load('never', Buffer.from('await new Promise(() => setInterval(() => 0, 1000));'));
  await expect(load).rejects.toThrow(/was not loaded after 500 ms/);
  await host.close();
});

test('an aborted step is reported at once, and its function gets no more answers', async () => {
  const { step } = await tryConfig(configOf("sh('long', 'sleep 1000'), sh('good', 'true')"));
  const abort = new AbortController();
  const report = await step(
    0,
    () => {
      abort.abort(new Error('the master stops'));
      return new Promise(() => undefined);
    },
    { signal: abort.signal },
  );
  expect(report).toEqual({ result: 'cancelled', summary: 'the master stops' });
  expect(await step(1)).toEqual({ result: 'success' });
});

test('a step of a configuration that is not loaded is an exception', async () => {
  const { host, step } = await tryConfig(configOf("sh('good', 'true')"));
  expect(await step(5)).toMatchObject({ result: 'exception', summary: expect.stringContaining('has no step 5') });
  await host.close();
  expect(await step(0)).toEqual({ result: 'cancelled', summary: 'the master stops' });
});

test('what a configuration prints goes to the log', async () => {
  const { log } = await tryConfig(
    configOf('', "console.log('hello from it');").replace('steps: []', "steps: [sh('a', 'b')]"),
  );
  await expect.poll(() => log.lines.join('\n'), { timeout: 20_000 }).toContain('hello from it');
});
