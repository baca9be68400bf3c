import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { answered, configOf, temporaryFolder, tryConfig } from './try-config.ts';

// Threads are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

/** The threads that live, from now on. */
function livingThreads(): ReadonlySet<Worker> {
  const living = new Set<Worker>();
  const note = (message: unknown): void => {
    const { worker } = message as { readonly worker: Worker };
    living.add(worker);
    worker.once('exit', () => living.delete(worker));
  };
  subscribe('worker_threads', note);
  onTestFinished(() => void unsubscribe('worker_threads', note));
  return living;
}

/** Each another bundle, whose step tells where it ran. */
function config(generation: number): string {
  return configOf(
    `step('where', async (ctx) => { await ctx.now(); return { result: 'success', summary: 'thread ' + threadId }; })`,
    `import { threadId } from 'node:worker_threads';\nexport const generation = ${generation};\nif (generation < 0) console.log('never');`,
  );
}

test('a thread that has loaded its share of bundles ends with its last step, and a fresh one goes on', async () => {
  const living = livingThreads();
  const bundles = new Map<string, Uint8Array>();
  const bundleOf = (hash: string): Promise<Uint8Array | undefined> => Promise.resolve(bundles.get(hash));
  const { host, step } = await tryConfig(config(0), { bundlesAThread: 3, bundleOf });
  const [isAsked, mayGoOn] = [deferred(), deferred()];
  const held = step(0, async (call, attempt, feed) => {
    isAsked.resolve();
    await mayGoOn.promise;
    return await answered(call, attempt, feed);
  });
  await isAsked.promise;
  const file = join(await temporaryFolder(), 'trunkline.config.ts');
  for (let generation = 0; generation < 8; generation++) {
    await writeFile(file, config(generation));
    const { hash, bundle } = await loadConfig(file, host);
    bundles.set(hash, bundle);
  }
  await expect.poll(() => living.size, { timeout: 60_000 }).toBe(2);
  mayGoOn.resolve();
  const first = await held;
  expect(first).toMatchObject({ result: 'success', summary: expect.stringMatching(/^thread \d+$/) });
  await expect.poll(() => living.size, { timeout: 60_000 }).toBe(1);
  const again = await step(0);
  expect(again.result).toBe('success');
  expect(again.summary).not.toBe(first.summary);
  expect(living.size).toBe(1);
});
