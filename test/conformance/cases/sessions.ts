import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';

/** Section 7: sessions and channels. */
export const sessions: readonly Case[] = [
  {
    id: 'C15',
    section: 7,
    rule: 'session.open makes the directory below work and is answered by session.opened with its fence',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S', 3, 'some/where');
      const { text } = await stage.run(line, 'S', 'c', 'pwd -P', { fence: 3 });
      check(text.endsWith('/work/some/where\n'), 'a command that runs in work/some/where', text);
    },
  },
  {
    id: 'C16',
    section: 7,
    rule: 'session.open of a session that is open is answered again, with its higher fence',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      await line.open('S', 2);
      const { text } = await stage.run(line, 'S', 'c', 'echo on', { fence: 2 });
      equal(text, 'on\n', 'the output');
    },
  },
  {
    id: 'C17',
    section: 4,
    rule: 'a session’s messages with a lower fence than it has seen are ignored',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S', 5);
      stage.start(line, 'S', 'old', 'echo old', { fence: 4 });
      line.send('session.close', 'S', { fence: 4 });
      line.send('session.open', 'S', { fence: 4, project: 'p', builder: 'b', directory: 'S' });
      await stage.run(line, 'S', 'new', 'sleep 0.3', { fence: 5 });
      const wrong = line.came
        .slice(line.came.indexOf('session.opened of S') + 1)
        .filter((word) => /session\./.test(word));
      equal(wrong, [], 'no answer to an owner of the past:');
      check(
        stage.logs.of('old').end === 0 && !line.take('command.started', 'S'),
        'no start for an owner of the past',
        'one',
      );
    },
  },
  {
    id: 'C18',
    section: 7,
    rule: 'a directory that leaves work, also by a symbolic link, is refused by session.failed',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      await stage.run(line, 'S', 'c', 'ln -s /tmp out && mkdir in && ln -s in alias');
      for (const [session, directory] of [
        ['A', '../outside'],
        ['B', '/tmp/outside'],
        ['C', 'S/out/outside'],
      ] as const) {
        await line.order(session, 1, directory);
        await line.expect('session.failed', session, { fence: 1 });
        await line.release(session);
      }
      await line.open('D', 1, 'S/alias/below');
    },
  },
  {
    id: 'C19',
    section: 7,
    rule: 'session.closed goes behind the session’s log frames, and no log frame follows it',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'while :; do echo output without end; done');
      await line.until('output', () => stage.logs.of('c').end > 0);
      line.send('session.close', 'S', { fence: 1 });
      await line.expect('session.closed', 'S', { fence: 1 });
      // The line itself tells of a log frame that comes now.
      await line.quiet(500, 'nothing of a closed session');
      stage.forget(line, 'S', 'c');
    },
  },
  {
    id: 'C20',
    section: 7,
    rule: 'session.close ends the session’s commands, and nothing of it is held any more',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      stage.start(line, 'S', 'c', 'echo $$; exec sleep 1000');
      const pid = await stage.pid(line, 'c');
      line.send('session.close', 'S', { fence: 1 });
      await line.expect('session.closed', 'S');
      await stage.ends(pid);
      await stage.restart();
      const { inventory } = await stage.attach();
      equal(inventory.sessions, [], 'an inventory without sessions:');
      // Its process is gone; that it was to be forgotten may still have to be carried out.
      const kept = inventory.commands.filter(({ outcome }) => outcome && outcome.ended !== 'forgotten');
      equal(kept, [], 'no command but one that was forgotten:');
    },
  },
  {
    id: 'C21',
    section: 8,
    rule: 'a start in a session that is not open is answered refused, and nothing of it is recorded',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      line.send('session.close', 'S', { fence: 1 });
      stage.start(line, 'S', 'c', 'echo no');
      await line.expect('session.closed', 'S');
      const { outcome } = await line.expect('command.finished', 'S', { command: 'c' });
      equal(outcome.status, 'refused', 'an outcome');
      line.cut();
      const { inventory } = await stage.attach();
      equal(inventory, { sessions: [], commands: [] }, 'an empty inventory:');
    },
  },
  {
    id: 'C22',
    section: 4,
    rule: 'a session and its highest fence survive kill -9',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S', 3, 'one');
      await line.open('T', 9, 'two');
      await line.open('S', 4, 'one');
      await stage.restart();
      const { inventory } = await stage.attach();
      const sorted = inventory.sessions.toSorted((a, b) => a.session.localeCompare(b.session));
      const told = sorted.map(({ session, fence, directory }) => [session, fence, directory]);
      equal(told, [['S', 4, 'one'], ['T', 9, 'two']], 'the sessions'); // prettier-ignore
    },
  },
  {
    id: 'C23',
    section: 7,
    rule: 'without mux, as many session channels are open as the master wants; one that the master closes is replaced',
    async run(stage) {
      const { line } = await stage.attach();
      line.want(2);
      if (line.isMux) {
        line.send('ping', '', { n: 1 });
        await line.expect('pong');
        return;
      }
      await line.until('2 session channels', () => line.sessionChannels === 2);
      await line.open('S');
      line.want(4);
      await line.until('4 session channels', () => line.sessionChannels === 4);
      line.send('session.close', 'S', { fence: 1 });
      await line.expect('session.closed', 'S');
      await line.release('S');
      await line.until('4 session channels again', () => line.sessionChannels === 4);
      await line.quiet(300, 'no more than 4 session channels');
      equal(line.sessionChannels, 4, 'session channels:');
    },
  },
];
