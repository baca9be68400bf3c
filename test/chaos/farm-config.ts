import type { Result } from '../../src/model/result.ts';

export const WORKERS = ['w0', 'w1', 'w2', 'w3'] as const;

interface Kind {
  /** When nobody stops it. */
  readonly result: Result;
  /** How many it must have then. */
  readonly logs: number;
  /** It may be tried again. */
  readonly isRetried?: true;
  /** Nobody asks for it. */
  readonly comesOf?: 'trigger' | 'change';
}

/** The kinds of builds. `endless` is to be stopped. */
export const KINDS: Readonly<Record<string, Kind>> = {
  short: { result: 'success', logs: 3 },
  long: { result: 'success', logs: 2 },
  slow: { result: 'success', logs: 1 },
  branches: { result: 'success', logs: 4 },
  loop: { result: 'success', logs: 5 },
  files: { result: 'success', logs: 2 },
  keeps: { result: 'success', logs: 1 },
  whispers: { result: 'success', logs: 2 },
  failing: { result: 'failure', logs: 3 },
  capped: { result: 'success', logs: 1 },
  lost: { result: 'success', logs: 1, isRetried: true },
  endless: { result: 'cancelled', logs: 2 },
  locked: { result: 'success', logs: 2 },
  alone: { result: 'success', logs: 1 },
  parent: { result: 'success', logs: 2 },
  child: { result: 'success', logs: 1, comesOf: 'trigger' },
  again: { result: 'failure', logs: 1, isRetried: true },
  changed: { result: 'success', logs: 1, comesOf: 'change' },
  merged: { result: 'success', logs: 1, comesOf: 'change' },
};

/** Changes of the first are built when it is quiet; those of the second at once, but as long as they wait for a lock, together. */
export const BRANCHES = ['quiet', 'busy'] as const;

/** A line, or a daemon, that says nothing for three heartbeats is dead. */
export const HEARTBEAT_S = 4;
/** After so long without their worker builds of the kind `lost` are retried elsewhere; the others wait. */
export const RETRY_AFTER_S = 16;

/** The text of the configuration. With each generation it is another one. */
export function farmConfig(ledgerDir: string, witness: string, generation: number): string {
  return `
import { builder, defineMaster, force, git, masterLock, onChange, project, secret, secretFile, sh, step, trigger, triggerable, worker, workerLock } from 'trunkline';
import type { StepFunction } from 'trunkline';

const workers = ${JSON.stringify(WORKERS)};
const witness = (bytes: number, pause = 0, status = 0, ...more: string[]) =>
  ['python3', '${witness}', '${ledgerDir}', String(bytes), String(pause), String(status), ...more];
const common = { workers, env: { GENERATION: '${generation}' }, whenWorkerLost: 'wait' as const };
const kind = (name: string, ...steps: ReturnType<typeof step>[]) => builder(name, { ...common, steps });

const whisper = { env: { WHISPER: secret('whisper') } };

// Who waits for the board may hold a token, and not the other way round: that would close cycles.
const board = masterLock('board');
const tokens = masterLock('tokens', { slots: 2 });
const disk = workerLock('disk');
const [onBoard, onToken, onAllTokens] = ['holds=board/1/1', 'holds=tokens/1/2', 'holds=tokens/2/2'];

const branches: StepFunction = async (ctx) => {
  const first = await ctx.run(witness(50_000, 0.05), { log: 'first', capture: 10 });
  const { left, right } = await ctx.parallel({
    left: async (own) => (await own.run(witness(400_000, 0.02), { log: 'left', capture: 10 })).output,
    right: async (own) => {
      await own.setProperty('right', 'begun');
      return (await own.run(witness(900_000, 0.02), { log: 'right', capture: 10 })).output;
    },
  });
  await ctx.setProperty('joined', [first.output, left, right].join(' '));
  return first.ok && left !== right ? 'success' : 'failure';
};

const loop: StepFunction = async (ctx) => {
  let sum = 0;
  for (let round = 0; round < 5; round++) {
    const { exitCode } = await ctx.run(witness(10_000, 0.05, round), { log: 'round-' + round });
    sum += exitCode ?? 100;
    if (exitCode === 2) await ctx.setProperty('two', await ctx.once('two', () => 2, { idempotent: true }));
  }
  return sum === 10 ? 'success' : { result: 'failure', summary: 'the sum is ' + sum };
};

const files: StepFunction = async (ctx) => {
  await ctx.mkdir('a/b');
  await ctx.download('in.bin', 'a/b/copy.bin');
  await ctx.run(witness(20_000, 0.05));
  await ctx.run('cat a/b/copy.bin a/b/copy.bin > twice.bin', { log: 'silent' });
  const { size, sha256 } = await ctx.upload('twice.bin', 'out/' + ctx.build.id + '.bin');
  await ctx.setProperty('uploaded', size + ' ' + sha256);
  await ctx.remove('a');
};

// Keeps what it was given, and takes what the newest good one before it has kept, if there is one yet.
const keeps: StepFunction = async (ctx) => {
  await ctx.download('in.bin', 'own.bin');
  await ctx.run(witness(20_000, 0.05));
  const { size, sha256 } = await ctx.keep('own.bin', { name: 'in/kept.bin' });
  await ctx.setProperty('kept', size + ' ' + sha256);
  const found = await ctx.fetch('in/kept.bin', 'other.bin', { from: 'chaos/keeps' }).catch((error) => String(error));
  await ctx.setProperty('fetched', typeof found === 'string' ? found : found.size + ' ' + found.sha256);
};

const onDisk: StepFunction = async (ctx) => {
  const { ok } = await ctx.run(witness(60_000, 0.05, 0, onToken, 'holds=disk-' + ctx.build.worker + '/1/1'), { log: 'disk' });
  return ok ? 'success' : 'failure';
};

export default defineMaster({
  title: 'Chaos, generation ${generation}',
  heartbeat: '${HEARTBEAT_S}s',
  secrets: { whisper: secretFile('whisper', { projects: ['chaos'] }) },
  workers: workers.map((name) => worker(name, { maxBuilds: 2 })),
  projects: [project('chaos', {
    source: git('/nowhere'),
    builders: [
      kind('short', sh('one', witness(1_000)), sh('two', witness(30_000)), sh('three', witness(200, 0.2))),
      kind('long', sh('print', witness(12_000_000)), sh('more', witness(3_000_000, 0.001))),
      kind('slow', sh('drip', witness(1_500_000, 0.06))),
      kind('branches', step('code', branches), sh('after', witness(100))),
      kind('loop', step('code', loop)),
      kind('files', step('code', files)),
      kind('keeps', step('code', keeps)),
      kind('whispers', sh('slow', witness(200_000, 0.05), whisper), sh('quick', witness(500_000), whisper)),
      kind('failing', sh('good', witness(1_000)), sh('bad', witness(5_000, 0.1, 3)), sh('never', witness(1)), sh('tidy', witness(500), { alwaysRun: true })),
      kind('capped', sh('much', witness(8_000_000, 0.005), { logLimit: '300KB' })),
      builder('lost', {
        ...common,
        whenWorkerLost: { retryAfter: '${RETRY_AFTER_S}s' },
        steps: [step('once', async (ctx) => {
          const { ok } = await ctx.run(witness(1_500_000, 0.08, 0, 'holds=' + ctx.build.reason + '/1/1'), { log: 'once' });
          return ok ? 'success' : 'failure';
        })],
      }),
      kind('endless', sh('stubborn', witness(300_000, 0.02, 0, 'stubborn'), { killAfter: '1s' }), sh('tidy', witness(500), { alwaysRun: true })),
      builder('locked', { ...common, locks: [tokens.counting(1)], steps: [
        step('disk', onDisk, { locks: [disk.exclusive()] }),
        sh('board', witness(60_000, 0.05, 0, onToken, onBoard), { locks: [board.exclusive()] }),
      ] }),
      builder('alone', { ...common, locks: [tokens.exclusive()], steps: [sh('all', witness(60_000, 0.05, 0, onAllTokens))] }),
      builder('parent', { ...common, locks: [tokens.counting(1)], steps: [
        sh('before', witness(10_000, 0.05, 0, onToken)),
        trigger('ask', { schedulers: ['child'], wait: true }),
        sh('after', witness(10_000, 0.05, 0, onToken)),
      ] }),
      builder('child', { ...common, locks: [tokens.counting(1)], steps: [sh('part', witness(60_000, 0.05, 0, onToken))] }),
      builder('again', { ...common, retry: { failure: 1, pause: '2s' }, steps: [sh('bad', witness(5_000, 0.05, 1))] }),
      kind('changed', sh('one', witness(10_000, 0.05))),
      builder('merged', { ...common, collapse: true, locks: [board.exclusive()], steps: [sh('one', witness(60_000, 0.05, 0, onBoard))] }),
    ],
    schedulers: [
      force(),
      triggerable('child', { builders: ['child'] }),
      onChange({ name: 'quiet', branch: '${BRANCHES[0]}', quiet: '3s', quietAtMost: '20s', builders: ['changed'] }),
      onChange({ name: 'busy', branch: '${BRANCHES[1]}', builders: ['merged'] }),
    ],
  })],
});
`;
}
