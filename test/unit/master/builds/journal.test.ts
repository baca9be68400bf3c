import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deferred } from '../../../../src/base/deferred.ts';
import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { StepAnswer, StepCall } from '../../../../src/config/code-host.ts';
import { Journal } from '../../../../src/master/builds/journal.ts';
import type { Build } from '../../../../src/model/build.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { CommandStore, Store } from '../../../../src/store/store.ts';

let dir: string;
let store: Store;
const clock = new FakeClock();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-journal-'));
  store = await openStore({ file: join(dir, 'db'), archiveDir: join(dir, 'logs'), logger: silentLogger, clock });
  await store.configs.put({ hash: 'h', bundle: new Uint8Array(1), atMs: 0 });
});
afterAll(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

async function newBuild(): Promise<Build> {
  const [request] = await store.requests.add({
    reason: 'test',
    owner: 'anna',
    source: {},
    properties: {},
    priority: 0,
    builders: [{ project: 'p', builder: 'b' }],
    atMs: clock.now(),
  });
  const claim = { worker: 'w', configHash: 'h', stepNames: ['s'], properties: [], atMs: clock.now() };
  const build = await store.requests.claim({ ...claim, requestId: request!.id });
  return build;
}

async function journalOf(build: Build, over: Partial<ConstructorParameters<typeof Journal>[0]> = {}): Promise<Journal> {
  const records = await store.commands.list(build.id);
  return new Journal({
    commands: store.commands,
    together: (begin) => store.together(begin),
    clock,
    build,
    step: 0,
    records,
    redact: (value) => value,
    ...over,
  });
}

const never = new Promise<never>(() => undefined);

/** One life of the master: after `kill` nothing more is begun, and what was on its way to the disk gets there unseen. */
class Life {
  #isOver = false;
  readonly #onItsWay = new Set<Promise<unknown>>();
  readonly killed = deferred();

  readonly commands: Pick<CommandStore, 'start' | 'finish'> = {
    start: (...args) => this.#pass(() => store.commands.start(...args)),
    finish: (...args) => this.#pass(() => store.commands.finish(...args)),
  };

  kill(): void {
    this.#isOver = true;
    this.killed.resolve();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async settled(): Promise<void> {
    while (this.#onItsWay.size > 0) await Promise.allSettled(this.#onItsWay);
  }

  #pass<T>(write: () => Promise<T>): Promise<T> {
    if (this.#isOver) return never;
    const written = write();
    this.#onItsWay.add(written);
    return written.then((value) => {
      this.#onItsWay.delete(written);
      return this.#isOver ? never : value;
    });
  }
}

const call = (key: string, command = `echo ${key}`): StepCall => ({
  key,
  kind: 'run',
  args: { command, env: {}, log: `log-${key}` },
});

/** A step's function: calls one after another, and branches side by side that hold such again. */
type Program = readonly ('call' | Readonly<Record<string, Program>>)[];

const { program } = fc.letrec<{ program: Program; branches: Readonly<Record<string, Program>> }>((tie) => ({
  program: fc.array(fc.oneof({ maxDepth: 2, depthIdentifier: 'p' }, fc.constant('call' as const), tie('branches')), {
    maxLength: 4,
    depthIdentifier: 'p',
  }),
  branches: fc.record({ left: tie('program'), right: tie('program') }),
}));

type Ask = (key: string) => Promise<void>;

/** Runs a program as the thread of user code would. */
async function play(program: Program, ask: Ask, prefix = ''): Promise<void> {
  let ordinal = 0;
  for (const part of program) {
    ordinal += 1;
    const key = `${prefix}${ordinal}`;
    if (part === 'call') await ask(key);
    else await Promise.all(Object.entries(part).map(([name, branch]) => play(branch, ask, `${key}.${name}.`)));
  }
}

test('however often a step is cut off, no call is done again after its record, and the answers come in one order', async () => {
  await fc.assert(
    fc.asyncProperty(
      program,
      fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 10 }),
      async (steps, cuts, delays) => {
        const build = await newBuild();
        let done = 0;
        let told: readonly (readonly [string, StepAnswer])[] = [];
        for (const cut of [...cuts, Number.MAX_SAFE_INTEGER]) {
          const life = new Life();
          const journal = await journalOf(build, { commands: life.commands });
          const got: [string, StepAnswer][] = [];
          const ask: Ask = async (key) => {
            const answer = await journal.answer(call(key), 1, async () => {
              done += 1;
              const value = done;
              for (let turns = delays[value % delays.length] ?? 0; turns > 0; turns--) await new Promise(setImmediate);
              return life.isOver ? await never : { answer: { ok: value } };
            });
            if (life.isOver) await never;
            got.push([key, answer]);
            if (got.length > cut) life.kill();
          };
          await Promise.race([play(steps, ask), life.killed.promise]);
          await life.settled();
          // Whatever was told before is told again, in that order and with the same words.
          const both = Math.min(told.length, got.length);
          expect(got.slice(0, both)).toEqual(told.slice(0, both));
          if (got.length > told.length) told = got;
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('a call that differs from its record ends the step and shows both', async () => {
  const build = await newBuild();
  const first = await journalOf(build);
  expect(await first.answer(call('1', 'make'), 1, async () => ({ answer: { ok: 1 } }))).toEqual({ ok: 1 });
  const again = await journalOf(build);
  const answer = await again.answer(call('1', 'make all'), 1, () => {
    throw new Error('must not be done');
  });
  expect(answer).toMatchObject({ end: { result: 'exception' } });
  expect(summary(answer)).toMatch(/call 1 .*recorded run .*"make".*now run .*"make all"/);
});

test('a second attempt in the same life gets the answers again, and joins what is still under way', async () => {
  const build = await newBuild();
  const journal = await journalOf(build);
  let times = 0;
  await journal.answer(call('1'), 1, async () => ({ answer: { ok: ++times } }));
  let finish: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const perform = async (): Promise<{ answer: StepAnswer }> => {
    times += 1;
    await gate;
    return { answer: { ok: times } };
  };
  const stale = journal.answer(call('2'), 1, perform);
  expect(await journal.answer(call('1'), 2, perform)).toEqual({ ok: 1 });
  const joined = journal.answer(call('2'), 2, perform);
  finish();
  expect(await joined).toEqual({ ok: 2 });
  expect(await stale).toMatchObject({ end: { result: 'exception' } });
  expect(times).toBe(2);
});

test('a branch that is not run again is told when nothing moves for long', async () => {
  const build = await newBuild();
  const first = await journalOf(build);
  for (const key of ['1.left.1', '1.right.1']) await first.answer(call(key), 1, async () => ({ answer: { ok: key } }));
  const again = await journalOf(build, { divergedAfterMs: 60_000 });
  const right = again.answer(call('1.right.1'), 1, () => {
    throw new Error('must not be done');
  });
  await new Promise(setImmediate);
  clock.advance(60_000);
  expect(summary(await right)).toMatch(/did not make call 1\.left\.1 again/);
});

test('an answer that is due waits for what goes on beside its call, however long, and those behind it wait in turn', async () => {
  const build = await newBuild();
  const first = await journalOf(build);
  for (const key of ['1.left.1', '1.right.1']) await first.answer(call(key), 1, async () => ({ answer: { ok: key } }));
  const again = await journalOf(build, { divergedAfterMs: 60_000 });
  const perform = (): Promise<never> => Promise.reject(new Error('must not be done'));
  const observed = deferred();
  const order: string[] = [];
  const left = again
    .answer(call('1.left.1'), 1, perform, undefined, () => observed.promise)
    .then(() => order.push('left'));
  const right = again
    .answer(call('1.right.1'), 1, perform)
    .then((answer) => order.push(`right ${JSON.stringify(answer)}`));
  for (let minute = 0; minute < 10; minute++) {
    await new Promise(setImmediate);
    clock.advance(60_000);
  }
  expect(order).toEqual([]);
  observed.resolve();
  await Promise.all([left, right]);
  expect(order).toEqual(['left', 'right {"ok":"1.right.1"}']);
});

test('what goes on beside a call that cannot be recorded is waited for, and its failure is told', async () => {
  const build = await newBuild();
  const failing: Pick<CommandStore, 'start' | 'finish'> = {
    start: () => Promise.reject(new Error('the disk is full')),
    finish: (...answer) => store.commands.finish(...answer),
  };
  const journal = await journalOf(build, { commands: failing });
  let isDone = false;
  const asked = journal.answer(
    call('1'),
    1,
    async () => ({ answer: { ok: 1 } }),
    undefined,
    async (_id, done) => {
      await expect(done).rejects.toThrow('the disk is full');
      isDone = true;
    },
  );
  await expect(asked).rejects.toThrow('the disk is full');
  expect(isDone).toBe(true);
});

test('once: done once, answered again; under way at a crash it is unknown, or done again when that does no harm', async () => {
  const build = await newBuild();
  const once = (key: string, isIdempotent: boolean): StepCall => ({
    key,
    kind: 'once',
    args: { name: 'publish', isIdempotent },
  });
  const first = await journalOf(build);
  expect(await first.once(once('1', false), 1, false)).toEqual({ ok: { isDone: false } });
  expect(await first.onceDone('1', 1, { ok: { isDone: true, value: 'v' } })).toEqual({ ok: null });
  for (const key of ['2', '3']) await first.once(once(key, key === '3'), 1, key === '3');

  const again = await journalOf(build);
  expect(await again.once(once('1', false), 1, false)).toEqual({ ok: { isDone: true, value: 'v' } });
  expect(summary(await again.once(once('2', false), 1, false))).toContain('unknown');
  expect(await again.once(once('3', true), 1, true)).toEqual({ ok: { isDone: false } });
});

function summary(answer: StepAnswer): string {
  return 'end' in answer ? answer.end.summary : '';
}
