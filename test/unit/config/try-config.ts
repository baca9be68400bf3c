import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Logger } from '../../../src/base/logger.ts';
import type { AnswerCall, CodeHost, StepCall, StepReport, StepRun } from '../../../src/config/code-host.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { openCodeHost } from '../../../src/config/open-code-host.ts';
import type { CodeHostOptions } from '../../../src/config/open-code-host.ts';
import type { JsonObject } from '../../../src/model/json.ts';

/** A folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A file of a configuration whose only builder has these steps (source text). */
export function configOf(steps: string, before = ''): string {
  return `import { builder, checkout, defineMaster, force, git, project, reboot, secret, sh, step, worker } from 'trunkline';
${before}
export default defineMaster({
  title: 'Test',
  workers: [worker('sid')],
  projects: [
    project('kate', {
      source: git('https://git.example.org/kate.git'),
      builders: [builder('debian', { workers: ['sid'], env: { FROM: 'builder' }, steps: [${steps}] })],
      schedulers: [force()],
    }),
  ],
});
`;
}

export interface Lines extends Logger {
  readonly lines: string[];
}

export function recordingLogger(): Lines {
  const lines: string[] = [];
  const write = (message: string, fields?: Record<string, unknown>): void => {
    lines.push(fields ? `${message} ${JSON.stringify(fields)}` : message);
  };
  return { lines, debug: write, info: write, warn: write, error: write };
}

export interface Tried {
  readonly host: CodeHost;
  readonly log: Lines;
  readonly hash: string;
  /** The run of a step, by its index. */
  readonly step: (index: number, answer?: AnswerCall, options?: TryOptions) => Promise<StepReport>;
}

export interface TryOptions {
  readonly signal?: AbortSignal;
  readonly properties?: JsonObject;
  readonly source?: StepRun['build']['source'];
  readonly isUntrusted?: boolean;
}

/** Loads a configuration into a code host that is closed after the test. */
export async function tryConfig(text: string, options: Partial<CodeHostOptions> = {}): Promise<Tried> {
  const file = join(await temporaryFolder(), 'trunkline.config.ts');
  await writeFile(file, text);
  const log = recordingLogger();
  const host = openCodeHost({ logger: log, ...options });
  onTestFinished(() => host.close());
  const { hash } = await loadConfig(file, host);
  return {
    host,
    log,
    hash,
    step: (index, answer = answered, { signal, properties = {}, source = {}, isUntrusted = false } = {}) =>
      host.runStep(
        {
          configHash: hash,
          project: 'kate',
          builder: 'debian',
          step: index,
          build: {
            id: 7,
            uid: 'UID',
            number: 3,
            project: 'kate',
            builder: 'debian',
            worker: 'sid',
            reason: 'a test',
            owner: 'anna',
            source,
            isUntrusted,
            properties,
          },
        },
        answer,
        signal,
      ),
  };
}

/** Every command exits with 0; everything else is null. */
export const answered: AnswerCall = (call) =>
  Promise.resolve({ ok: call.kind === 'run' ? exited(0) : call.kind === 'once' ? { isDone: false } : null });

export function exited(exitCode: number): JsonObject {
  return { status: 'exited', exitCode, startedAtMs: 1_000, endedAtMs: 3_000 };
}

/** Answers as `answer` does, and notes what was asked. */
export function noting(calls: StepCall[], answer: AnswerCall = answered): AnswerCall {
  return (call, ...more) => {
    calls.push(call);
    return answer(call, ...more);
  };
}
