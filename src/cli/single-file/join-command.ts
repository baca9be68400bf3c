import { resolve } from 'node:path';
import type { Command } from 'commander';
import { runCommand } from '../run-command.ts';
import { collect } from '../worker-commands.ts';
import { join } from './join.ts';

interface JoinOptions {
  readonly name: string;
  readonly master: string;
  readonly hostKey: readonly string[];
  readonly sshConfig: string;
}

/** What the script of an invitation calls; nobody types it. */
export function addJoinCommand(program: Command): void {
  program
    .command('join <dir>', { hidden: true })
    .description('make this machine the worker of an invitation, and start it')
    .requiredOption('--name <name>', "the worker's name")
    .requiredOption('--master <host:port>', 'the master')
    .requiredOption('--host-key <fingerprint>', "SHA256:… of the master's host key; again for a second one", collect)
    .requiredOption('--ssh-config <file>', "ssh's configuration, with the code")
    .action((dir: string, { name, master, hostKey, sshConfig }: JoinOptions) =>
      runCommand(() => join({ dir: resolve(dir), name, master, hostKeys: hostKey, sshConfig })),
    );
}
