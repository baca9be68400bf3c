import { subscribe } from 'node:diagnostics_channel';
import { createWriteStream, renameSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Worker } from 'node:worker_threads';

/**
 * Loaded into daemons, and into the keepers they start: see `probe.ts`. On SIGUSR2 a process writes how much memory it uses
 * after a collection, and what lies in its heap and in that of its thread if this is wanted.
 */
const folder = process.env['PROBE_FOLDER'];
const isHeapWanted = process.env['PROBE_HEAP'] !== undefined;
let thread: Worker | undefined;

async function look(): Promise<void> {
  const path = `${folder}/${process.pid}`;
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const memory = process.memoryUsage();
  if (isHeapWanted) {
    writeHeapSnapshot(`${path}.heapsnapshot`);
    if (thread) await pipeline(await thread.getHeapSnapshot(), createWriteStream(`${path}-thread.heapsnapshot`));
  }
  writeFileSync(`${path}.new`, JSON.stringify(memory));
  renameSync(`${path}.new`, `${path}.json`);
}

if (folder !== undefined) {
  subscribe('worker_threads', (message) => {
    const { worker } = message as { readonly worker: Worker };
    thread = worker;
    worker.once('exit', () => {
      if (thread === worker) thread = undefined;
    });
  });
  process.on('SIGUSR2', () => void look());
}
