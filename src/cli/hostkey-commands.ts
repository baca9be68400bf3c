import { resolve } from 'node:path';
import type { Command } from 'commander';
import { plain, plainLines } from '../base/plain.ts';
import { askMaster } from '../master/control.ts';
import type { HostKeyStatus } from '../master/views/master.ts';
import { runCommand } from './run-command.ts';

/** `trunkline master hostkey …`: asks the master that runs in the folder. */
export function addHostKeyCommands(master: Command): void {
  const hostKey = master.command('hostkey').description('change the host key, which workers pin, without a gap');

  hostKey
    .command('next <dir>')
    .description('make the next host key and tell it to all workers that are here, and to the others when they come')
    .action((dir: string) =>
      runCommand(async () => {
        const { fingerprint } = await askMaster(resolve(dir), 'hostkey-next');
        process.stdout.write(`the next host key is ${fingerprint}; "hostkey status" tells who knows it\n`);
      }),
    );

  hostKey
    .command('status <dir>')
    .description('which workers do not know the next host key yet')
    .option('--json', 'as one JSON value')
    .action((dir: string, options: { json?: boolean }) =>
      runCommand(async () => {
        const status = await askMaster(resolve(dir), 'hostkey-status');
        const text = options.json ? JSON.stringify(status) : statusLines(status).join('\n');
        process.stdout.write(plainLines(`${text}\n`));
      }),
    );

  hostKey
    .command('use <dir>')
    .description('show the next host key to new connections from now on; open ones stay')
    .option('--force', 'also when workers do not know it, which are shut out')
    .action((dir: string, options: { force?: boolean }) =>
      runCommand(async () => {
        const force = options.force ? 1 : 0;
        const { fingerprint, without } = await askMaster(resolve(dir), 'hostkey-use', { force });
        for (const worker of without) process.stderr.write(`trunkline: ${plain(worker)} does not know it\n`);
        process.stdout.write(`the host key is ${fingerprint} now\n`);
      }),
    );
}

function statusLines({ current, next, nextKey, workers }: HostKeyStatus): readonly string[] {
  const left = workers.filter(({ knows }) => !knows);
  const which = next === null ? 'the host key' : 'the next host key';
  return [
    `host key ${current}`,
    ...(next === null ? ['there is no next one'] : [`next     ${next}`, `         ${nextKey ?? ''}`]),
    left.length === 0
      ? `known to all workers (${workers.length}): ${which}`
      : `not known yet to ${left.length} of ${workers.length} workers: ${which}`,
    ...left.map(({ worker, why }) => plain(`  ${worker}: ${why ?? ''}`)),
  ];
}
