import { createHash } from 'node:crypto';
import { check, equal } from '../breach.ts';
import type { Case } from '../case.ts';

/** Section 8: what a command does, and what its outcome says. */
export const commands: readonly Case[] = [
  {
    id: 'C24',
    section: 8,
    rule: 'a process that ends by itself is exited with its exitCode',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const { outcome } = await stage.run(line, 'S', 'c', 'echo some; exit 7');
      equal([outcome.status, outcome.exitCode, outcome.ended], ['exited', 7, undefined], 'status, exitCode and ended');
      check(outcome.endedAtMs >= outcome.startedAtMs, 'endedAtMs from startedAtMs on', outcome);
    },
  },
  {
    id: 'C25',
    section: 8,
    rule: 'a process that a signal ends is signalled, with the signal’s name',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const { outcome } = await stage.run(line, 'S', 'c', 'kill -USR1 $$');
      equal([outcome.status, outcome.signal], ['signalled', 'SIGUSR1'], 'status and signal');
    },
  },
  {
    id: 'C26',
    section: 8,
    rule: 'argv is run as it is, without a shell',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const argv = ['printf', '%s|', 'a b', '$HOME', "it's", ''];
      const { text } = await stage.run(line, 'S', 'c', { kind: 'run', argv });
      equal(text, "a b|$HOME|it's||", 'the output');
    },
  },
  {
    id: 'C27',
    section: 8,
    rule: 'the process has env, cwd and stdin of its specification',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      equal(
        (await stage.run(line, 'S', 'd', { kind: 'mkdir', path: 'here' })).outcome.status,
        'done',
        'mkdir: a status',
      );
      const spec = { kind: 'run', shell: 'cat; echo "$NOTE"; basename "$(pwd)"', cwd: 'here' } as const;
      const more = { env: { NOTE: 'as told ✓' }, stdin: Buffer.from('given\n') };
      equal((await stage.run(line, 'S', 'c', { ...spec, ...more })).text, 'given\nas told ✓\nhere\n', 'the output');
      // Nothing is given: nothing is waited for.
      equal((await stage.run(line, 'S', 'e', 'cat; echo end')).text, 'end\n', 'the output without stdin');
    },
  },
  {
    id: 'C28',
    section: 8,
    rule: 'output is stdout and stderr in the order in which they were written',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const shell = 'i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done';
      const wanted = Array.from({ length: 300 }, (_, i) => `out ${i}\nerr ${i}\n`).join('');
      equal((await stage.run(line, 'S', 'c', shell)).text, wanted, 'the output');
    },
  },
  {
    id: 'C29',
    section: 8,
    rule: 'what cannot be started is refused: a program that is not there, a specification without one',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      for (const [command, spec] of [
        ['a', { kind: 'run', argv: ['/no/such/program'] }],
        ['b', { kind: 'run' }],
      ] as const) {
        const { outcome } = await stage.run(line, 'S', command, spec);
        equal(outcome.status, 'refused', 'a status');
        check((outcome.message ?? '') !== '', 'a message that says why', outcome.message);
      }
    },
  },
  {
    id: 'C30',
    section: 8,
    rule: 'mkdir makes a directory and its parents, and one that is there is fine',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      for (const command of ['a', 'b']) {
        const { outcome } = await stage.run(line, 'S', command, { kind: 'mkdir', path: 'one/two/three' });
        equal(outcome.status, 'done', 'a status');
      }
      equal((await stage.run(line, 'S', 'c', 'find one')).text, 'one\none/two\none/two/three\n', 'the tree');
    },
  },
  {
    id: 'C31',
    section: 8,
    rule: 'remove removes a file or a tree but not what a link points to, and nothing there is fine',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      await stage.run(line, 'S', 'make', 'mkdir -p tree/below kept && touch tree/below/f kept/f && ln -s kept link');
      for (const path of ['tree', 'link', 'nothing']) {
        const { outcome } = await stage.run(line, 'S', `r-${path}`, { kind: 'remove', path });
        equal(outcome.status, 'done', `removing ${path}: a status`);
      }
      equal((await stage.run(line, 'S', 'c', 'find . | sort')).text, '.\n./kept\n./kept/f\n', 'what is left');
    },
  },
  {
    id: 'C32',
    section: 8,
    rule: 'a path that leaves the session’s directory, also by a symbolic link, is refused',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S', 1, 'deep/S');
      await stage.run(line, 'S', 'make', 'mkdir ../beside && touch ../beside/f && ln -s ../beside out');
      for (const [command, spec] of [
        ['a', { kind: 'run', shell: 'pwd', cwd: '../beside' }],
        ['b', { kind: 'mkdir', path: '../new' }],
        ['c', { kind: 'mkdir', path: 'out/new' }],
        ['d', { kind: 'remove', path: 'out/f' }],
        ['e', { kind: 'remove', path: '../beside' }],
      ] as const) {
        equal((await stage.run(line, 'S', command, spec)).outcome.status, 'refused', `${spec.kind}: a status`);
      }
      equal((await stage.run(line, 'S', 'look', 'find ../../deep | sort | wc -l')).text.trim(), '5', 'entries:');
    },
  },
  {
    id: 'C33',
    section: 8,
    rule: 'put fetches a file; a worker without the capability files refuses it',
    async run(stage) {
      const { line } = await stage.attach();
      await line.open('S');
      const body = Buffer.from('the body of a file');
      const sha256 = createHash('sha256').update(body).digest('hex');
      const spec = { kind: 'put', path: 'f', size: body.byteLength, sha256, mode: 0o600 } as const;
      stage.start(line, 'S', 'p', spec);
      if (!line.hello.capabilities.includes('files')) {
        equal((await stage.end(line, 'S', 'p')).outcome.status, 'refused', 'a status');
        return;
      }
      const { offset } = await line.expect('file.pull', 'S', { command: 'p' });
      equal(offset, 0, 'file.pull from');
      line.answerFile('p', 'file.data', 'S', { command: 'p', fence: 1, offset: 0, bytes: body });
      await line.expect('file.ack', 'S', { command: 'p', offset: body.byteLength });
      equal((await stage.end(line, 'S', 'p')).outcome.status, 'done', 'a status');
      equal((await stage.run(line, 'S', 'c', 'cat f')).text, body.toString(), 'the file');
    },
  },
];
