import type { Command } from 'commander';
import { runCommand } from '../run-command.ts';

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('a master and two workers on this machine build this repository')
    .option('--serve', 'stay up afterwards, to look around with stock ssh')
    .action((options: { serve?: boolean }) =>
      runCommand(async () => {
        const { runDemo } = await import('./demo.ts');
        await runDemo({ serve: options.serve ?? false });
      }),
    );
}
