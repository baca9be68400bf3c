import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LocalBus } from '../../../../src/bus/local-bus.ts';
import { ArtifactFolder } from '../../../../src/master/artifacts/artifact-folder.ts';
import { StepRun } from '../../../../src/master/builds/step-run.ts';
import type { BuildTools } from '../../../../src/master/builds/build-tools.ts';
import { BuildSecrets } from '../../../../src/master/secrets/build-secrets.ts';
import { SecretBook } from '../../../../src/master/secrets/secret-book.ts';
import { configOf, tryConfig } from '../../config/try-config.ts';
import { DeskBench } from '../link/desk-bench.ts';
import { WorkerPeer } from '../link/worker-peer.ts';

/** One step with one command, over a real store, desk and code host; `onRecorded` is called when its record is just made. */
async function tryStep(onRecorded: () => void): Promise<{ readonly run: StepRun; readonly bench: DeskBench }> {
  const bench = await DeskBench.make();
  onTestFinished(() => bench.remove());
  const { host, hash } = await tryConfig(configOf("sh('make', 'make')"));
  const { store } = bench;
  const commands: BuildTools['store']['commands'] = Object.create(store.commands, {
    start: {
      value: async (...record: Parameters<typeof store.commands.start>) => {
        const log = await store.commands.start(...record);
        onRecorded();
        return log;
      },
    },
  });
  const secretBook = new SecretBook({ dir: bench.dir, clock: bench.clock });
  const { id, uid, number, worker, reason, owner, source } = bench.build;
  const names = { project: 'kate', builder: 'debian' };
  const run = new StepRun({
    tools: {
      store: Object.create(store, { commands: { value: commands } }),
      bus: new LocalBus(silentLogger),
      desk: bench.desk,
      codeHost: host,
      clock: bench.clock,
      config: () => {
        throw new Error('nothing is triggered here');
      },
      logger: silentLogger,
      folders: {
        dir: bench.dir,
        filesDir: bench.filesDir,
        artifacts: await ArtifactFolder.open(join(bench.dir, 'artifacts'), store.artifacts),
      },
      secretBook,
    },
    build: { ...bench.build, ...names, configHash: hash },
    seat: bench.seat,
    step: { index: 0, name: 'make' },
    leaseMs: undefined,
    facts: { id, uid, number, worker, reason, owner, source, isUntrusted: false, properties: {}, ...names },
    secrets: new BuildSecrets({ book: secretBook, secrets: [], reader: { project: 'kate', isUntrusted: false } }),
    records: [],
    onProperty: () => undefined,
    onRecord: () => undefined,
  });
  return { run, bench };
}

test('a master that stops while a call is being recorded decides nothing about it', async () => {
  const tried = await tryStep(() => tried.run.detach());
  expect(await tried.run.run()).toBeUndefined();
  const [record] = await tried.bench.store.commands.list(tried.bench.build.id);
  expect(record).toMatchObject({ kind: 'run', state: 'started' });
  const log = await tried.bench.store.logs.findByCommand(record?.id ?? '');
  expect(log?.isComplete).toBe(false);
});

test('a command that the worker ended because it was out of sight has its build done again', async () => {
  const { run, bench } = await tryStep(() => undefined);
  const report = run.run();
  const worker = await WorkerPeer.connect(bench.desk, { clock: bench.clock });
  const { uid } = bench.build;
  const start = await worker.started(`${uid}.0.1`);
  worker.finish(start, 0, { status: 'signalled', signal: 'SIGKILL', ended: 'deadline' });
  expect(await report).toMatchObject({ result: 'retry', summary: expect.stringContaining('out of sight') });
});
