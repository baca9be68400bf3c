/**
 * A whole worker in one file, `dist/worker.mjs`: needs nothing but Node. The keeper is the same file with another first word, and
 * takes the rest of the file into memory only when it is not that.
 */
import { fileURLToPath } from 'node:url';
import { runKeeper } from '../../worker/keeper/run-keeper.ts';

const KEEPER = 'keeper';

if (process.argv[2] === KEEPER) {
  await runKeeper(process.argv[3] ?? '{}');
} else {
  const { runWorkerFile } = await import('./worker-file.ts');
  await runWorkerFile([fileURLToPath(import.meta.url), KEEPER]);
}
