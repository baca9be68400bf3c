import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';
import { isAlive } from '../program.ts';

/** Sections 5 and 6: greeting, goodbye, life. */
export const greeting: readonly Case[] = [
  {
    id: 'C01',
    section: 5,
    rule: 'the first frame is a hello of at most 4 KiB with the name that logged in',
    async run(stage) {
      const { hello } = await stage.connection();
      equal(hello.worker, stage.name, 'in hello.worker the user name of the login,');
      check(hello.protocols.includes(1), 'version 1 among the protocols', hello.protocols);
    },
  },
  {
    id: 'C02',
    section: 5,
    rule: 'nothing is sent between the hello and the welcome',
    async run(stage) {
      const line = await stage.connection();
      await line.quiet(700, 'nothing before the welcome');
      line.welcome();
      await line.expect('inventory');
    },
  },
  {
    id: 'C03',
    section: 4,
    rule: 'installId and bootId stay when the program is started again, processId does not',
    async run(stage) {
      const { line: first } = await stage.attach();
      await stage.restart();
      const { line: second } = await stage.attach();
      const { installId, bootId, processId } = second.hello;
      equal(installId, first.hello.installId, 'the installId of the start before,');
      equal(bootId, first.hello.bootId, 'the bootId of the start before,');
      check(processId !== first.hello.processId, 'another processId than that of the start before', processId);
    },
  },
  {
    id: 'C04',
    section: 5,
    rule: 'a lost line is followed by a new one',
    async run(stage) {
      for (let round = 0; round < 2; round++) (await stage.attach()).line.cut();
      await stage.attach();
    },
  },
  {
    id: 'C05',
    section: 5,
    rule: 'after a goodbye with retryAfterMs the worker stays away for half of it at least',
    async run(stage) {
      const retryAfterMs = 2_000;
      const { line } = await stage.attach();
      const at = performance.now();
      line.goodbye('drain', retryAfterMs);
      await stage.attach();
      const awayMs = Math.round(performance.now() - at);
      check(awayMs >= retryAfterMs / 2, `${retryAfterMs / 2} ms away at least`, `${awayMs} ms`);
    },
  },
  {
    id: 'C06',
    section: 5,
    rule: 'after the goodbye revoked all commands are ended and forgotten',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo $$; exec sleep 1000');
      const pid = await stage.pid(line, 'c');
      line.goodbye('revoked');
      await line.ended('after the goodbye');
      await stage.ends(pid);
      await stage.restart();
      await stage.holdsNothing();
    },
  },
  {
    id: 'C07',
    section: 6,
    rule: 'a ping is answered by a pong of the same n, also while output flows',
    async run(stage) {
      const { line } = await stage.attach();
      line.send('ping', '', { n: 7 });
      await line.expect('pong', '', { n: 7 });
      await line.open('S');
      stage.start(line, 'S', 'c', 'while :; do echo some output that goes on; done');
      for (let n = 100; n < 104; n++) {
        line.send('ping', '', { n });
        await line.expect('pong', '', { n });
      }
      await line.until('output', () => stage.logs.of('c').end > 0);
      line.send('command.interrupt', 'S', { command: 'c', fence: 1, reason: 'enough' });
      await line.expect('command.finished', 'S');
    },
  },
  {
    id: 'C08',
    section: 6,
    rule: 'the worker sends a ping about every heartbeatMs',
    async run(stage) {
      const { line } = await stage.attach(undefined, { heartbeatMs: 300 });
      for (let count = 0; count < 3; count++) await line.expect('ping');
    },
  },
  {
    id: 'C09',
    section: 6,
    rule: 'a line on which nothing is heard for deadMs is given up, and a new one comes',
    async run(stage) {
      const { line } = await stage.attach(undefined, { heartbeatMs: 300, deadMs: 1_200 });
      line.answersPings = false;
      await line.ended('that was silent');
      check(isAlive(stage.program.pid), 'a program that goes on', 'its end');
      await stage.attach();
    },
  },
];
