import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, frame } from '../../../src/protocol/frame.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';

/** Feeds a stream in pieces of the given sizes, over and over. Bodies are copied: they alias what was fed. */
function readAll(reader: FrameReader, stream: Uint8Array, sizes: readonly number[]): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0, i = 0; at < stream.byteLength; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    for (const body of reader.feed(stream.subarray(at, at + size))) bodies.push(Buffer.from(body));
    at += size;
  }
  return bodies;
}

describe('a frame reader', () => {
  it('gives back the same frames however the stream is cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 20 });
    const aBody = fc.nat({ max: 20_000 }).map((length) => Uint8Array.from({ length }, (_, i) => i * 31 + length));
    const bodies = fc.array(aBody, { maxLength: 12, size: 'max' });
    fc.assert(
      fc.property(bodies, sizes, (bodies, sizes) => {
        const reader = new FrameReader(20_000);
        const read = readAll(reader, Buffer.concat(bodies.map(frame)), sizes);
        expect(read.length).toBe(bodies.length);
        bodies.forEach((body, i) => expect(Buffer.compare(body, read[i]!)).toBe(0));
        expect(reader.heldBytes).toBe(0);
      }),
      { seed: 1 },
    );
  });

  it('does not copy a frame that lies whole in what it was fed', () => {
    const stream = Buffer.concat([frame(Buffer.from('one')), frame(Buffer.from('two'))]);
    for (const body of new FrameReader(10).feed(stream)) expect(body.buffer).toBe(stream.buffer);
  });

  it('yields an empty frame as soon as its length is there', () => {
    expect(readAll(new FrameReader(10), frame(new Uint8Array(0)), [3, 1])).toEqual([Buffer.alloc(0)]);
  });

  it('refuses a length over the limit before it keeps anything', () => {
    const reader = new FrameReader(4096);
    const head = Buffer.from([0, 0, 0x10, 1]);
    expect(() => [...reader.feed(head)]).toThrow(expect.objectContaining({ code: 'frame-too-long' }));
    expect(reader.heldBytes).toBeLessThanOrEqual(4);
  });

  it('takes a new limit from the next frame on, within one piece', () => {
    const reader = new FrameReader(10);
    const lengths: number[] = [];
    for (const body of reader.feed(Buffer.concat([frame(new Uint8Array(10)), frame(new Uint8Array(100))]))) {
      lengths.push(body.byteLength);
      reader.maxBodyBytes = 100;
    }
    expect(lengths).toEqual([10, 100]);
    expect(() => [...new FrameReader(10).feed(frame(new Uint8Array(11)))]).toThrow(ProtocolError);
  });

  it('sets little aside for a frame that is only announced', () => {
    const reader = new FrameReader(256 * 1024);
    const claim = Buffer.concat([frame(new Uint8Array(256 * 1024)).subarray(0, 5)]);
    expect([...reader.feed(claim)]).toEqual([]);
    expect(reader.heldBytes).toBe(1);
  });
});
