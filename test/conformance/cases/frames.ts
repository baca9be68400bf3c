import { Packr } from 'msgpackr';
import { frame } from '../../../src/protocol/frame.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import { equal } from '../breach.ts';
import type { Case } from '../case.ts';

const packer = new Packr({ useRecords: false, mapsAsObjects: true });

/** A frame that our own encoder would refuse to make. */
function raw(...parts: readonly unknown[]): Uint8Array {
  return frame(packer.pack(parts));
}

/** Sections 3 and 13: what a frame is, and how a breach is answered. */
export const frames: readonly Case[] = [
  {
    id: 'C10',
    section: 3,
    rule: 'unknown types of messages, unknown keys and further elements of a frame are ignored',
    async run(stage) {
      const { line } = await stage.attach();
      line.sendBytes('', raw('weather', '', { sky: 'blue', list: [1, { a: null }] }));
      line.sendBytes('', raw('ping', '', { n: 5, mood: 'good' }, 'more', { and: 'more' }));
      await line.expect('pong', '', { n: 5 });
      await line.open('S');
      line.sendBytes('S', raw('session.weather', 'S', { sky: 'grey' }));
      const spec = { kind: 'run', shell: 'echo fine', colour: 'red' };
      stage.expects('c');
      line.sendBytes('S', raw('command.start', 'S', { command: 'c', fence: 1, spec, speed: 3 }, 1));
      equal((await stage.end(line, 'S', 'c')).text, 'fine\n', 'the output');
    },
  },
  {
    id: 'C11',
    section: 3,
    rule: 'a frame that is announced over the limit is refused before its body comes: goodbye frame-too-long',
    async run(stage) {
      const { line } = await stage.attach();
      const head = Buffer.alloc(4);
      head.writeUInt32BE(LIMITS.controlFrameBytes + 1);
      line.sendBytes('', head);
      await line.refused('frame-too-long');
      await stage.attach();
    },
  },
  {
    id: 'C12',
    section: 3,
    rule: 'bytes that are no array of MessagePack end the link: goodbye malformed',
    async run(stage) {
      for (const bytes of [
        frame(Buffer.from([0xc1])),
        frame(Buffer.concat([packer.pack(['ping', '', { n: 1 }]), Buffer.from([0])])),
      ]) {
        const { line } = await stage.attach();
        line.sendBytes('', bytes);
        await line.refused('malformed');
      }
      await stage.attach();
    },
  },
  {
    id: 'C13',
    section: 13,
    rule: 'a field that is missing or of the wrong kind ends the link: goodbye bad-field',
    async run(stage) {
      const spec = { kind: 'run', shell: 'echo no', totalMs: 'long' };
      for (const [session, bytes] of [
        ['', raw('ping', '', { n: 'seven' })],
        ['', raw('inventory.answer', '', { commands: [], last: true })],
        ['S', raw('command.start', 'S', { command: 'c', fence: 1, spec })],
        ['S', raw('command.start', 'S', { command: '../c', fence: 1, spec: { kind: 'run', shell: 'echo no' } })],
      ] as const) {
        const { line, inventory } = await stage.attach();
        equal(inventory.commands, [], 'an inventory without commands:');
        if (session !== '') await line.open(session);
        line.sendBytes(session, bytes);
        await line.refused('bad-field');
      }
      await stage.attach();
    },
  },
  {
    id: 'C14',
    section: 13,
    rule: 'a message that only a worker sends ends the link: goodbye wrong-direction',
    async run(stage) {
      const { line } = await stage.attach();
      line.sendBytes('', raw('lease.held', '', { n: 1 }));
      await line.refused('wrong-direction');
      await stage.attach();
    },
  },
];
