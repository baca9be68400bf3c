import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import type { RunArgs } from '../../../../src/config/calls.ts';
import { ArtifactFolder } from '../../../../src/master/artifacts/artifact-folder.ts';
import { workerCommand } from '../../../../src/master/builds/worker-command.ts';
import type { WorkerCommand } from '../../../../src/master/builds/worker-command.ts';
import { BuildSecrets } from '../../../../src/master/secrets/build-secrets.ts';
import { SecretBook } from '../../../../src/master/secrets/secret-book.ts';
import { encode } from '../../../../src/protocol/codec.ts';
import { temporaryFolder } from '../../config/try-config.ts';

const KEY = 'k'.repeat(16_000);

async function commandOf(args: Partial<RunArgs>): Promise<WorkerCommand> {
  const dir = await temporaryFolder();
  const artifacts = await ArtifactFolder.open(`${dir}/artifacts`, { referenced: async () => new Set() });
  const secrets = new BuildSecrets({
    book: new SecretBook({ dir, clock: systemClock, env: { KEY } }),
    secrets: [{ name: 'key', from: { kind: 'env', variable: 'KEY' }, projects: 'all' }],
    reader: { project: 'p', isUntrusted: false },
  });
  const call = { kind: 'run', args: { command: 'true', env: {}, log: 'stdio', ...args } } as const;
  return await workerCommand(call, 'u.1.1', { dir, filesDir: dir, artifacts }, secrets);
}

const long = 'x'.repeat(99_000);

test.each([
  ['its environment', { env: { A: long, B: long, C: long } }],
  ['letters of three bytes', { command: '…'.repeat(99_000) }],
  [
    'the secrets of its build, twice',
    { command: long, stdin: 'x'.repeat(65_000), env: { A: 'x'.repeat(70_000), KEY: { kind: 'secret', name: 'key' } } },
  ],
] as const)(
  'a command that is too long by %s is refused before it is sent, and the step is told what to do',
  async (_, args) => {
    await expect(commandOf(args)).rejects.toThrow(
      'takes more than 256 KiB; put what is long into a file: ctx.download({ text }, FILE)',
    );
  },
);

test('whatever is not refused can be sent', async () => {
  const { spec, masks = [] } = await commandOf({
    command: long,
    stdin: 'x'.repeat(65_000),
    env: { A: 'x'.repeat(60_000), KEY: { kind: 'secret', name: 'key' } },
  });
  const most = Number.MAX_SAFE_INTEGER;
  const fields = { command: 'u.1.1', fence: most, spec, masks, logMaxBytes: most, leaseMs: most };
  expect(encode('command.start', 's'.repeat(200), fields).byteLength).toBeGreaterThan(256_000);
});
