import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keepersOf } from '../support/keepers-of.ts';
import { figuresOf } from '../support/process-figures.ts';
import { Desktop } from './desktop.ts';
import { bytesOf, Peaks, processorSeconds } from './figures.ts';

const MIB = 1024 * 1024;
/** Only a hang reaches it. */
const HOURS_MS = 4 * 3_600_000;
const USAGE = 'npm run desktop -- [--modules N] [--seconds OF_A_SLOW_TEST] [--stay]';

const { values } = parseArgs({
  options: {
    modules: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '5' },
    stay: { type: 'boolean', default: false },
  },
});
const [modules, seconds] = [Number(values.modules), Number(values.seconds)];
if (!Number.isInteger(modules) || modules < 1 || !Number.isInteger(seconds) || seconds < 0) {
  console.error(`usage: ${USAGE}`);
  process.exit(64);
}

const desktop = await Desktop.open(modules);
const { farm, master, workers } = desktop;
console.error(`${modules} modules in ${farm.dir}`);
const pid = master.process.pid ?? 0;
const peaks = new Peaks(pid);
const before = { at: performance.now(), used: await processorSeconds(pid) };
const world = await farm.finished((await desktop.force(seconds)).id, HOURS_MS);
const wall = (performance.now() - before.at) / 1_000;
const used = await processorSeconds(pid);
const { descriptors, residentMiB } = peaks.close();

const results = new Map<string, number>();
for (const { result } of world.children) {
  const named = result ?? 'none';
  results.set(named, (results.get(named) ?? 0) + 1);
}
const builds = 1 + world.children.length;
const own = used.own - before.used.own;
console.log(`world        ${world.result}: ${world.summary}`);
console.log(`builds       ${builds} (${Array.from(results, ([name, count]) => `${name} ${count}`).join(', ')})`);
console.log(`wall         ${wall.toFixed(1)} s, ${(builds / wall).toFixed(2)} builds/s`);
console.log(
  `master       ${own.toFixed(1)} s of processor (${((own * 1_000) / builds).toFixed(0)} ms a build) and ${(used.children - before.used.children).toFixed(1)} s in its gits; at most ${residentMiB} MiB, ${descriptors} descriptors`,
);
for (const { name, daemon } of workers) {
  const of = daemon.process.pid ?? 0;
  const figures = await figuresOf(of);
  const cpu = await processorSeconds(of);
  const keepers = await keepersOf(join(farm.workerDir(name), 'spool'));
  console.log(
    `${name.padEnd(12)} ${cpu.own.toFixed(1)} s of processor, ${figures.residentMiB} MiB, ${figures.descriptors} descriptors; keepers: ${keepers.length}`,
  );
}
const state = join(farm.masterDir, 'state');
console.log(`disk         all of the master's state ${((await bytesOf(state)) / MIB).toFixed(1)} MiB`);
if (values.stay) {
  console.log(`\nlook around, ^C ends it: ssh ${farm.sshArgs().join(' ')} status`);
  await once(process, 'SIGINT');
}
await farm.close();
