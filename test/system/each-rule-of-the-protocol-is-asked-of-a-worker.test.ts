import { expect, test } from 'vitest';
import { CASES } from '../conformance/cases.ts';
import { mutantsOf } from '../conformance/mutants.ts';
import { MUTATIONS } from '../conformance/mutations.ts';
import type { Mutation } from '../conformance/mutations.ts';
import { runCase, runCases } from '../conformance/run-cases.ts';
import { PROGRAM, PYTHON_WORKER } from '../support/farm.ts';

const OURS = [process.execPath, PROGRAM, 'worker', 'start', '{dir}'];
const inPython = (program = PYTHON_WORKER): string[] => [
  'python3',
  program,
  '{dir}',
  '--master',
  '{host}:{port}',
  '--name',
  '{name}',
];
/** The cases wait more than they work. */
const JOBS = 6;
const PATIENCE_MS = 60_000;
/** A mutant fails, mostly by being silent: nobody waits long for it at first. On a busy machine something else may be late instead. */
const MUTANT_PATIENCE_MS = [2_000, 8_000, PATIENCE_MS];
/** What a channel a session is to be seen by: binding, closing, credit and what follows a cut. TRUNKLINE_ALL_CASES=1 asks all. */
const OF_CHANNELS = ['C01', 'C16', 'C18', 'C19', 'C20', 'C21', 'C23', 'C54', 'C55', 'C58', 'C66', 'C67'];
const casesOfChannels = process.env['TRUNKLINE_ALL_CASES'] ? CASES : CASES.filter(({ id }) => OF_CHANNELS.includes(id));

test.each([
  ['ours', OURS, CASES],
  ['the one in Python, over mux', inPython(), CASES],
  ['the one in Python, with a channel a session', [...inPython(), '--channels'], casesOfChannels],
])('every case is ok for %s', async (_which, command, cases) => {
  const results = await runCases(cases, { command, jobs: JOBS, patienceMs: PATIENCE_MS });
  expect(results.filter(({ isOk }) => !isOk).map(({ line }) => line)).toEqual([]);
  expect(results).toHaveLength(cases.length);
});

test('whichever rule is broken in the worker in Python, its case fails and says so', async () => {
  expect(MUTATIONS.map(({ id }) => id)).toEqual(CASES.map(({ id }) => id));
  const mutants = await mutantsOf(PYTHON_WORKER);
  const wrong: string[] = [];
  const waiting = [...MUTATIONS];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const program = await mutants.make(next);
      let line = '';
      for (const patienceMs of MUTANT_PATIENCE_MS) {
        line = await playedBy(program, next, patienceMs);
        if (next.tells.test(line)) break;
      }
      if (!line.startsWith('FAIL') || !next.tells.test(line)) wrong.push(line);
    }
  };
  try {
    await Promise.all(Array.from({ length: JOBS }, work));
  } finally {
    await mutants.close();
  }
  expect(wrong).toEqual([]);
});

async function playedBy(program: string, { id }: Mutation, patienceMs: number): Promise<string> {
  const one = CASES.find((each) => each.id === id);
  if (!one) return `there is no case ${id}`;
  const command = [...inPython(program), ...(id === 'C23' ? ['--channels'] : [])];
  return (await runCase(one, { command, patienceMs })).line;
}
