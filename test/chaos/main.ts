import { chaos } from './chaos.ts';
import type { ChaosReport } from './chaos.ts';
import { readOptions, USAGE } from './options.ts';
import type { DaemonMeasure } from './site.ts';

const options = readOptions(process.argv.slice(2));
if (!options) {
  console.error(`usage: ${USAGE}`);
  process.exit(64);
}

console.error(`seed ${options.seed}`);
const report = await chaos(options, (line) => console.error(line));
if (options.asJson) console.log(JSON.stringify(report));
else for (const line of lines(report)) console.log(line);
process.exitCode = report.violations.length > 0 ? 1 : 0;

function lines(report: ChaosReport): string[] {
  const { ledger } = report;
  return [
    `seed ${report.seed}: ${report.rounds} rounds, ${report.minutes} minutes`,
    `faults      ${listed(report.faults)}`,
    `rotations   ${listed(report.rotations)}`,
    `builds      ${report.builds}: ${listed(report.results)}`,
    `changes     ${report.changes.sent} in ${report.changes.builds} builds; triggered: ${report.triggered}; artifacts fetched: ${report.fetched}; waited for locks: ${report.waitedForLocks}`,
    `commands    ${ledger.commands}, started ${ledger.starts} times; more than once: ${ledger.startedTwice.length}`,
    `logs        ${report.logs}, ${report.logMiB} MiB; mismatches of logs and files: ${report.mismatches}`,
    `overlaps    ${ledger.overlaps.length}; builds of two configurations: ${ledger.mixedConfigurations.length}`,
    `left over   ${report.leftovers.length}`,
    ...report.after.map((now) => measured(now, report.before)),
    ...report.violations.map((what) => `VIOLATION, seed ${report.seed}, ${what}`),
    report.folder === null ? 'clean' : `everything is left in ${report.folder}`,
  ];
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function measured(now: DaemonMeasure, before: readonly DaemonMeasure[]): string {
  const then = before.find(({ daemon }) => daemon === now.daemon);
  const pair = (key: 'descriptors' | 'rssMiB' | 'heapMiB'): string => `${then?.[key] ?? '-'} -> ${now[key]}`;
  const same = then?.pid === now.pid ? ', the same process' : '';
  return `${now.daemon.padEnd(12)}descriptors ${pair('descriptors')}, RSS ${pair('rssMiB')} MiB, heap ${pair('heapMiB')} MiB${same}`;
}
