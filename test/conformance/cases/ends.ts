import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';

/** Section 8: how commands are ended. */
export const ends: readonly Case[] = [
  {
    id: 'C44',
    section: 8,
    rule: 'command.interrupt begins with TERM, and ended says interrupt',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
      stage.start(line, 'S', 'c', shell);
      await line.until('the command is ready', () => stage.logs.of('c').end > 0);
      line.send('command.interrupt', 'S', { command: 'c', fence: 1, reason: 'enough' });
      const { outcome, text } = await stage.end(line, 'S', 'c');
      check(text.endsWith('term\n'), 'what the process printed at TERM', text);
      equal([outcome.status, outcome.exitCode], ['exited', 3], 'status and exitCode');
      equal(outcome.ended, 'interrupt', 'ended:');
    },
  },
  {
    id: 'C45',
    section: 8,
    rule: 'what does not end by TERM is ended by KILL after killAfterMs',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
      stage.start(line, 'S', 'c', { kind: 'run', shell, killAfterMs: 300 });
      await line.until('the command is ready', () => stage.logs.of('c').end > 0);
      line.send('command.interrupt', 'S', { command: 'c', fence: 1, reason: 'enough' });
      const { outcome } = await stage.end(line, 'S', 'c');
      equal([outcome.status, outcome.signal, outcome.ended], ['signalled', 'SIGKILL', 'interrupt'], 'the outcome');
    },
  },
  {
    id: 'C46',
    section: 8,
    rule: 'command.interrupt ends all that belongs to the command',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'sleep 1000 & echo $!; wait');
      const pid = await stage.pid(line, 'c');
      line.send('command.interrupt', 'S', { command: 'c', fence: 1, reason: 'enough' });
      await stage.end(line, 'S', 'c');
      await stage.ends(pid);
    },
  },
  {
    id: 'C47',
    section: 8,
    rule: 'a command without output for silenceMs is ended, and ended says silence',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const { outcome } = await stage.run(line, 'S', 'c', {
        kind: 'run',
        shell: 'echo x; exec sleep 1000',
        silenceMs: 400,
      });
      equal([outcome.status, outcome.ended], ['signalled', 'silence'], 'status and ended');
    },
  },
  {
    id: 'C48',
    section: 8,
    rule: 'a command that runs for longer than totalMs is ended, and ended says total',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = 'while :; do echo x; sleep 0.05; done';
      const { outcome } = await stage.run(line, 'S', 'c', { kind: 'run', shell, totalMs: 500 });
      equal([outcome.status, outcome.ended], ['signalled', 'total'], 'status and ended');
    },
  },
  {
    id: 'C49',
    section: 8,
    rule: 'with the capability lease, a command that is out of sight for longer than its lease is ended',
    async run(stage) {
      const { line: first } = await stage.attach(undefined, { heartbeatMs: 200 });
      if (!first.hello.capabilities.includes('lease')) return;
      await first.open('S');
      stage.start(first, 'S', 'c', 'echo $$; exec sleep 1000', { leaseMs: 1_500 });
      const pid = await stage.pid(first, 'c');
      first.send('lease', '', { n: 4, leaseMs: 1 });
      await first.expect('lease.held', '', { n: 4 });
      // Out of sight: its daemon is dead.
      await stage.program.kill();
      await stage.ends(pid);
      await stage.program.start();
      const { line } = await stage.attach();
      await line.open('S');
      const { outcome } = await stage.end(line, 'S', 'c');
      equal(outcome.ended, 'deadline', 'ended:');
      check(outcome.status === 'signalled', 'the status signalled', outcome.status);
    },
  },
];
