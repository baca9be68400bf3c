import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkAssembler } from '../../../src/protocol/chunk-assembler.ts';
import type { Fields } from '../../../src/protocol/messages.ts';

type LogFrame = Fields<'log.append'>;

function cut(command: string, body: Uint8Array, frameBytes: number): LogFrame[] {
  const frames: LogFrame[] = [];
  for (let position = 0; position < body.byteLength; position += frameBytes) {
    const bytes = body.subarray(position, position + frameBytes);
    const head = {
      command,
      fence: 1,
      offset: 0,
      length: 9,
      atMs: 1,
      lines: 0,
      codec: 'raw',
      size: body.byteLength,
    } as const;
    frames.push({ ...head, position, bytes });
  }
  return frames;
}

describe('the chunk assembler', () => {
  it('joins the frames of chunks of several commands that come mixed', () => {
    const chunk = fc.record({
      body: fc.uint8Array({ minLength: 1, maxLength: 500, size: 'max' }),
      frameBytes: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (chunks, order) => {
        const assembler = new ChunkAssembler();
        const lines = chunks.map(({ body, frameBytes }, i) => cut(`c${i}`, body, frameBytes));
        const joined = new Map<string, Uint8Array>();
        while (lines.some((line) => line.length > 0)) {
          const waiting = lines.filter((line) => line.length > 0);
          const frame = waiting[order.next().value % waiting.length]!.shift()!;
          const whole = assembler.add(frame, frame.bytes.byteLength + 10);
          if (whole) joined.set(whole.command, whole.body);
        }
        chunks.forEach(({ body }, i) => expect(Buffer.compare(joined.get(`c${i}`)!, body)).toBe(0));
        expect(assembler.heldBytes).toBe(0);
      }),
      { seed: 10 },
    );
  });

  it('keeps copies, since the bytes of a frame are only good while it is handled', () => {
    const assembler = new ChunkAssembler();
    const bytes = Uint8Array.from([1, 2, 3]);
    const whole = assembler.add(cut('c', bytes, 3)[0]!, 10);
    bytes.fill(0);
    expect(whole?.body).toEqual(Uint8Array.from([1, 2, 3]));
  });

  it('begins anew with a frame at position 0, and gives account of all wire bytes', () => {
    const assembler = new ChunkAssembler();
    const [first, second] = cut('c', new Uint8Array(20), 10);
    assembler.add(first!, 100);
    assembler.add(first!, 100);
    expect(assembler.heldBytes).toBe(10);
    expect(assembler.add(second!, 100)?.wireBytes).toBe(300);
    assembler.add(first!, 100);
    expect(assembler.drop('c')).toBe(100);
    expect(assembler.drop('c')).toBe(0);
  });

  it.each<[string, (frames: readonly LogFrame[]) => LogFrame[]]>([
    ['a chunk that has not begun', ([, second]) => [second!]],
    ['a frame twice', ([first, second]) => [first!, second!, second!]],
    ['a gap', ([first, , third]) => [first!, third!]],
    ['another offset', ([first, second]) => [first!, { ...second!, offset: 5 }]],
    ['another fence', ([first, second]) => [first!, { ...second!, fence: 2 }]],
    ['more bytes than announced', ([first, second]) => [first!, { ...second!, bytes: new Uint8Array(21) }]],
    ['no bytes', ([first]) => [{ ...first!, bytes: new Uint8Array(0) }]],
  ])('refuses %s', (_, spoil) => {
    const assembler = new ChunkAssembler();
    const frames = spoil(cut('c', new Uint8Array(30), 10));
    expect(() => frames.forEach((frame) => assembler.add(frame, 10))).toThrow(
      expect.objectContaining({ code: 'unexpected' }),
    );
  });

  it('has a bound on the chunks under way', () => {
    const assembler = new ChunkAssembler(2);
    const begin = (command: string): unknown => assembler.add(cut(command, new Uint8Array(20), 10)[0]!, 1);
    begin('a');
    begin('b');
    begin('b');
    expect(() => begin('c')).toThrow(expect.objectContaining({ code: 'unexpected' }));
  });
});
