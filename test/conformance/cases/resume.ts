import { LIMITS } from '../../../src/protocol/limits.ts';
import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';

/** Section 11: what both sides do when a connection begins anew. */
export const resume: readonly Case[] = [
  {
    id: 'C64',
    section: 11,
    rule: 'the inventory tells of each command its session, state, output and outcome',
    async run(stage) {
      const { line, inventory: first } = await stage.attach();
      equal(first, { sessions: [], commands: [] }, 'of a new worker an empty inventory:');
      await line.open('S');
      await stage.run(line, 'S', 'done', 'printf 12345; exit 2');
      stage.start(line, 'S', 'runs', 'printf 123; exec sleep 1000');
      await line.until('output', () => stage.logs.of('runs').end === 3);
      await stage.restart();
      const { line: next, inventory } = await stage.attach();
      const told = inventory.commands
        .map(({ command, session, fence, state, outputEnd, outcome }) => [
          command,
          session,
          fence,
          state,
          outputEnd,
          outcome?.status,
          outcome?.exitCode,
        ]) // prettier-ignore
        .toSorted((a, b) => String(a[0]).localeCompare(String(b[0])));
      const wanted = [['done', 'S', 1, 'finished', 5, 'exited', 2], ['runs', 'S', 1, 'running', 3, undefined, undefined]]; // prettier-ignore
      equal(told, wanted, 'command, session, fence, state, outputEnd, status and exitCode');
      await next.open('S');
      next.send('command.interrupt', 'S', { command: 'runs', fence: 1, reason: 'enough' });
      await stage.end(next, 'S', 'runs');
    },
  },
  {
    id: 'C65',
    section: 11,
    rule: 'a long inventory comes in frames of 100 commands at most, and last is on the last alone',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      const count = LIMITS.inventoryItemsPerFrame + 5;
      for (let i = 0; i < count; i++) {
        stage.start(first, 'S', `c${i}`, { kind: 'mkdir', path: 'd' });
        await first.expect('command.finished', 'S', { command: `c${i}` });
      }
      first.cut();
      const line = await stage.connection();
      line.welcome();
      const { commands } = await stage.inventory(line);
      equal(new Set(commands.map(({ command }) => command)).size, count, 'commands in the inventory:');
      check(line.take('inventory') === undefined, 'nothing behind the last page', 'another inventory');
      stage.answer(line, { sessions: [], commands });
      await line.open('S');
    },
  },
  {
    id: 'C66',
    section: 11,
    rule: 'until the answers to the inventory are complete, nothing is sent of its commands',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      await stage.run(first, 'S', 'c', 'echo x; exit 4');
      first.cut();
      const line = await stage.connection();
      line.welcome();
      const inventory = await stage.inventory(line);
      await line.order('S');
      await line.expect('session.opened', 'S');
      line.ledger.open('S');
      await line.quiet(500, 'nothing of the commands before the answer');
      stage.answer(line, inventory, () => ({ from: 0 }));
      await line.expect('command.finished', 'S', { command: 'c' });
    },
  },
  {
    id: 'C67',
    section: 11,
    rule: 'after a cut the output goes on at `from`: nothing that is stored comes again, nothing is left out',
    async run(stage) {
      const { line: first } = await stage.attach();
      await first.open('S');
      stage.start(first, 'S', 'c', 'i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; while [ ! -e go ]; do sleep 0.05; done; echo end'); // prettier-ignore
      const log = stage.logs.of('c');
      await first.until('output', () => log.end > 10_000);
      first.cut();
      // As if the last bytes had been lost with the line.
      const whole = stage.logs.bytes('c');
      log.pieces.splice(0, log.pieces.length, whole.subarray(0, 9_999));
      log.end = 9_999;
      log.offsets.length = 0;
      const { line } = await stage.attach();
      await line.open('S');
      await stage.run(line, 'S', 'd', 'touch go');
      const { text } = await stage.end(line, 'S', 'c');
      equal(log.offsets[0], 9_999, 'the first offset after the cut');
      equal(text, `${Array.from({ length: 4_000 }, (_, i) => `line ${i}\n`).join('')}end\n`, 'the output');
    },
  },
  {
    id: 'C68',
    section: 11,
    rule: 'all output is held until it is acknowledged, also that of a command that ended before kill -9',
    async run(stage) {
      const line = await stage.connection();
      line.ledger.sessionBytes = 0;
      line.welcome();
      stage.answer(line, await stage.inventory(line));
      await line.open('S');
      stage.start(line, 'S', 'c', 'i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done');
      await line.expect('command.finished', 'S');
      await stage.restart();
      const { line: next } = await stage.attach();
      await next.open('S');
      const { text } = await stage.end(next, 'S', 'c');
      equal(text, Array.from({ length: 4_000 }, (_, i) => `line ${i}\n`).join(''), 'the output');
    },
  },
];
