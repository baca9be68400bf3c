import { runKeeper } from './run-keeper.ts';

await runKeeper(process.argv[2] ?? '{}');
