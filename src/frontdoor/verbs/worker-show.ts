import type { WorkerPage } from '../../master/views/worker.ts';
import { plain } from '../../base/plain.ts';
import { aboutSize } from '../../base/size.ts';
import { readArguments } from '../arguments.ts';
import { howLong, when } from '../show/time.ts';
import { troubleLine } from '../show/trouble.ts';
import type { Verb } from '../verb.ts';

export const workerShow: Verb = {
  name: 'worker show',
  usage: 'worker show NAME [--json]',
  summary: 'everything about one worker: state, machine, builds, connection',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const page = await operator.worker(asker, positionals[0] ?? '');
    await write(values.json ? `${JSON.stringify(page)}\n` : `${lines(page, clock.now()).map(plain).join('\n')}\n`);
    return 0;
  },
};

function lines(page: WorkerPage, nowMs: number): readonly string[] {
  const { connection, vitals } = page;
  const since = page.sinceMs === null ? '' : ` for ${howLong(nowMs - page.sinceMs)}`;
  return [
    `worker ${page.name}: ${page.state}${since}${page.isConfigured ? '' : ', not in the configuration'}`,
    ...line('held', page.held),
    ...line('waits', page.heldBack),
    ...page.troubles.map((trouble) => `trouble ${troubleLine(trouble, nowMs)}`),
    ...line('owner', page.owner),
    ...line('host', page.host),
    ...line('version', page.version),
    `builds  ${page.builds.length} of ${page.maxBuilds}${page.builds.length > 0 ? `: ${page.builds.join(', ')}` : ''}`,
    ...(connection
      ? [
          `line    ${connection.peer} (connection ${connection.epoch}; channels ${connection.channels}, sessions ${connection.sessions})`,
        ]
      : []),
    ...line('now', vitals && vitalsText(vitals)),
    ...Object.entries(page.facts).map(([name, fact]) => `fact    ${name} = ${fact}`),
    ...(page.keys ?? []).map((key) => `key     ${key.fingerprint} ${key.comment}`),
    ...page.lastBuilds.map(
      (build) =>
        `build   ${build.id}  ${build.project}/${build.builder}#${build.number}  ${build.result ?? build.state}  ${when(build.startedAtMs)}`,
    ),
  ];
}

function line(name: string, text: string | null): readonly string[] {
  return text ? [`${name.padEnd(7)} ${text}`] : [];
}

function vitalsText({ load, freeBytes, spoolBytes }: NonNullable<WorkerPage['vitals']>): string {
  return [
    load !== undefined && `load ${load}`,
    freeBytes !== undefined && `${aboutSize(freeBytes)} free`,
    spoolBytes !== undefined && `${aboutSize(spoolBytes)} in the spool`,
  ]
    .filter((part) => part !== false)
    .join(', ');
}
