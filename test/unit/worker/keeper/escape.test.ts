import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Keeper } from '../../../../src/worker/keeper/keeper.ts';
import { finished, isRunning, SpoolFixture, until } from './spool-fixture.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Ways to start a program so that it is hard to find again. */
const WAYS: Readonly<Record<string, (program: string) => string>> = {
  child: (program) => `sh ${program} &`,
  timeout: (program) => `timeout 1000 sh ${program} &`,
  nohup: (program) => `nohup sh ${program} &`,
  setsid: (program) => `setsid sh ${program} &`,
  'double-fork': (program) => `(setsid sh -c 'sh ${program} >/dev/null 2>&1 &' &)`,
  empty: (program) => `env -i /bin/sh ${program} >/dev/null 2>&1 &`,
  'empty-session': (program) => `env -i setsid /bin/sh ${program} >/dev/null 2>&1 &`,
  // Nothing is left of where it comes from but the pipe that it prints to.
  'empty-orphan': (program) => `(env -i setsid /bin/sh ${program} &)`,
  'child-of-empty-orphan': (program) => `(env -i setsid /bin/sh -c '/bin/sh ${program} >/dev/null 2>&1; :' &)`,
};

/** It ignores TERM, and says under which pid it lives. */
const PROGRAM = 'trap "" TERM; echo $$ > "$0.pid.new"; mv "$0.pid.new" "$0.pid"; while :; do sleep 0.1; done';

interface Ended {
  readonly silenceMs?: number;
  readonly totalMs?: number;
  readonly by: (keeper: Keeper, spool: SpoolFixture) => Promise<unknown> | undefined;
}

const ENDS: Readonly<Record<string, Ended>> = {
  'an interrupt': { by: (keeper) => keeper.interrupt('c1', 'test') },
  forgetting: { by: (keeper) => keeper.forget('c1') },
  'the limit of its silence': { silenceMs: 2_000, by: () => undefined },
  'the limit of its time': { totalMs: 2_000, by: () => undefined },
  "its keeper's death": {
    async by(_keeper, spool) {
      process.kill(await spool.keeperPid('c1'), 'SIGKILL');
    },
  },
};

for (const [end, { by, ...limits }] of Object.entries(ENDS)) {
  test(`nothing of a command is left after ${end}, however it was started`, async () => {
    const spool = await SpoolFixture.make();
    const keeper = await spool.open();
    await mkdir(join(spool.work, 'ways'));
    const programs = Object.keys(WAYS).map((name) => join(spool.work, 'ways', name));
    const script = Object.entries(WAYS).map(([name, start]) => {
      const program = join(spool.work, 'ways', name);
      return `cat > ${program} <<'END'\n${PROGRAM}\nEND\n${start(program)}\n`;
    });
    const sleeps = 'while :; do sleep 0.1; done';
    await keeper.start(spool.shell('c1', `${script.join('')}${sleeps}`, { killAfterMs: 100, ...limits }));
    await until('all are there', () => programs.every((program) => existsSync(`${program}.pid`)));
    const pids = await Promise.all(programs.map(async (program) => Number(await readFile(`${program}.pid`, 'utf8'))));
    onTestFinished(async () => {
      for (const pid of pids) if (await isRunning(pid)) process.kill(pid, 'SIGKILL');
    });
    await by(keeper, spool);
    if (end === 'forgetting') expect(await keeper.list()).toEqual([]);
    else await finished(keeper, 'c1');
    const left = await Promise.all(pids.map(isRunning));
    expect(Object.keys(WAYS).filter((_, index) => left[index])).toEqual([]);
  });
}
