import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';
import { isAlive } from '../program.ts';

/** Prints where it is; then, when it may, a line more, and the last one. */
const PHASES = `pwd -P; while [ ! -e go-1 ]; do sleep 0.02; done; echo while it is dead; touch at-2
while [ ! -e go-2 ]; do sleep 0.02; done; echo and after`;

/** Sections 4, 8 and 11: a command is started once, and is known until it is forgotten, whatever dies meanwhile. */
export const once: readonly Case[] = [
  {
    id: 'C34',
    section: 8,
    rule: 'a second start of a known id starts nothing, and gets its answers again',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = 'echo started >> starts; sleep 0.2; cat starts';
      await stage.run(line, 'S', 'c', shell);
      for (let round = 0; round < 2; round++) {
        stage.start(line, 'S', 'c', shell);
        await line.expect('command.started', 'S', { command: 'c' });
      }
      equal((await stage.run(line, 'S', 'look', 'cat starts')).text, 'started\n', 'one start:');
    },
  },
  {
    id: 'C35',
    section: 8,
    rule: 'a command that was acknowledged by command.started is in the inventory after kill -9, and is not started again',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo started >> starts; sleep 1; exit 3');
      await line.expect('command.started', 'S', { command: 'c' });
      await stage.restart();
      const { line: next, inventory } = await stage.attach();
      equal(inventory.commands.map(({ command }) => command), ['c'], 'the commands of the inventory'); // prettier-ignore
      await next.open('S');
      stage.start(next, 'S', 'c', 'echo started >> starts; sleep 1; exit 3');
      const { outcome } = await stage.end(next, 'S', 'c');
      equal([outcome.status, outcome.exitCode], ['exited', 3], 'status and exitCode');
      equal((await stage.run(next, 'S', 'look', 'cat starts')).text, 'started\n', 'one start:');
    },
  },
  {
    id: 'C36',
    section: 1,
    rule: 'a command goes on while its worker is dead, and all of its output comes',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', PHASES);
      const firstLine = (): string | undefined => /^.+(?=\n)/.exec(stage.logs.bytes('c').toString())?.[0];
      const folder = await line.until('the first line', firstLine);
      await stage.program.kill();
      await writeFile(join(folder, 'go-1'), '');
      await stage.until('the command goes on', () => existsSync(join(folder, 'at-2')));
      await stage.program.start();
      const { line: next } = await stage.attach();
      await next.open('S');
      await writeFile(join(folder, 'go-2'), '');
      const { outcome, text } = await stage.end(next, 'S', 'c');
      equal([outcome.status, outcome.exitCode], ['exited', 0], 'status and exitCode');
      equal(text, `${folder}\nwhile it is dead\nand after\n`, 'the output');
    },
  },
  {
    id: 'C37',
    section: 8,
    rule: 'command.finished is sent again after each greeting, with the same outcome',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      const ran = await stage.run(first, 'S', 'c', 'echo x; exit 4');
      first.cut();
      for (let round = 0; round < 2; round++) {
        if (round === 1) await stage.restart();
        const { line } = await stage.attach();
        await line.open('S');
        const { outcome, outputEnd } = await line.expect('command.finished', 'S', { command: 'c' });
        equal([outcome.status, outcome.exitCode, outputEnd], ['exited', 4, ran.outputEnd], 'the outcome');
        if (round === 0) line.cut();
      }
    },
  },
  {
    id: 'C38',
    section: 8,
    rule: 'after command.forget a command is held no more',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      await stage.run(line, 'S', 'c', 'echo x');
      await stage.run(line, 'S', 'd', 'echo y');
      stage.forget(line, 'S', 'c');
      await stage.run(line, 'S', 'e', 'echo z');
      await stage.restart();
      const { inventory } = await stage.attach();
      const held = inventory.commands.map(({ command }) => command).toSorted((a, b) => a.localeCompare(b));
      equal(held, ['d', 'e'], 'the commands of the inventory');
    },
  },
  {
    id: 'C39',
    section: 8,
    rule: 'command.forget of a command that runs ends it',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo $$; exec sleep 1000');
      const pid = await stage.pid(line, 'c');
      stage.forget(line, 'S', 'c');
      await stage.ends(pid);
    },
  },
  {
    id: 'C40',
    section: 11,
    rule: 'a command whose verdict is forget is ended and dropped',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo $$; exec sleep 1000');
      const pid = await stage.pid(line, 'c');
      line.cut();
      await stage.attach(() => ({ verdict: 'forget' }));
      await stage.ends(pid);
      await stage.restart();
      await stage.holdsNothing();
    },
  },
  {
    id: 'C41',
    section: 8,
    rule: 'nothing begins in a directory in which a process of a forgotten command still lives',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = "trap '' TERM; echo $$ > pid; echo ready; while :; do sleep 0.1; done";
      stage.start(line, 'S', 'old', { kind: 'run', shell, killAfterMs: 1_000 });
      await line.until('the command is ready', () => stage.logs.of('old').end > 0);
      stage.forget(line, 'S', 'old');
      const { text } = await stage.run(line, 'S', 'new', 'kill -0 $(cat pid) 2>&- && echo both || echo alone');
      equal(text, 'alone\n', 'the output of the next command');
    },
  },
  {
    id: 'C42',
    section: 4,
    rule: 'a command’s messages with a lower fence than it has seen are ignored, also after kill -9',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S', 5);
      stage.start(first, 'S', 'c', 'echo $$; exec sleep 1000', { fence: 5 });
      const pid = await stage.pid(first, 'c');
      await stage.restart();
      const { line } = await stage.attach();
      await line.open('S', 5);
      line.send('command.interrupt', 'S', { command: 'c', fence: 4, reason: 'an owner of the past' });
      await stage.run(line, 'S', 'd', 'sleep 0.5', { fence: 5 });
      check(isAlive(pid), 'a command that goes on', 'its end by an owner of the past');
      line.send('command.interrupt', 'S', { command: 'c', fence: 5, reason: 'the owner' });
      await line.expect('command.finished', 'S', { command: 'c' });
    },
  },
  {
    id: 'C43',
    section: 11,
    rule: 'the fence of the verdict continue is recorded, and all that follows carries it',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      stage.start(first, 'S', 'c', 'echo one; while [ ! -e go ]; do sleep 0.05; done; echo two');
      await first.until('output', () => stage.logs.of('c').end > 0);
      first.cut();
      const { line } = await stage.attach(() => ({ fence: 8 }));
      await line.open('S', 8);
      stage.logs.of('c').fences.length = 0;
      await stage.run(line, 'S', 'd', 'touch go', { fence: 8 });
      equal((await stage.end(line, 'S', 'c')).fence, 8, 'the fence of command.finished');
      equal(stage.logs.of('c').fences, [8], 'fences of log.append');
      await stage.restart();
      const { inventory } = await stage.attach();
      equal(inventory.commands.map(({ fence }) => fence), [8, 8], 'fences of the inventory'); // prettier-ignore
    },
  },
];
