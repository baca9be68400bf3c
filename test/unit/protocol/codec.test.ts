import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../../src/protocol/codec.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import { MESSAGES } from '../../../src/protocol/messages.ts';
import type { Message } from '../../../src/protocol/messages.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { SchemaError } from '../../../src/protocol/schema.ts';
import { aKey, aLogFrame, aStart, anId } from './arbitraries.ts';

const loose = new Packr({ useRecords: false, useToJSON: false });
const body = (value: unknown): Uint8Array => loose.pack(value);
const fromWorker = { from: 'worker' } as const;
const fromMaster = { from: 'master' } as const;

function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

/** Byte strings as plain arrays of bytes, whatever class they came in. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

describe('a message', () => {
  it('comes out as it went in: log bytes', () => {
    fc.assert(
      fc.property(anId, aLogFrame, (session, fields) => {
        const whole = Buffer.from(encode('log.append', session, fields));
        expect(whole.readUInt32BE(0)).toBe(whole.byteLength - 4);
        const message = decode(whole.subarray(4), fromWorker);
        expect(plain(message)).toEqual(plain({ type: 'log.append', session, fields }));
      }),
      { seed: 2 },
    );
  });

  it('comes out as it went in: maps with any keys, big numbers, text of any script', () => {
    fc.assert(
      fc.property(anId, aStart, (session, fields) => {
        const message = decode(encode('command.start', session, fields).subarray(4), fromMaster);
        expect(plain(message)).toEqual(plain({ type: 'command.start', session, fields }));
      }),
      { seed: 3 },
    );
  });

  it('carries the largest payload with the longest names in one SSH packet, without a copy at the receiver', () => {
    const long = 'x'.repeat(200);
    const most = Number.MAX_SAFE_INTEGER;
    const whole = encode('log.append', long, {
      command: long,
      fence: most,
      offset: most,
      length: LIMITS.chunkBytes,
      atMs: most,
      lines: LIMITS.chunkBytes,
      codec: 'gzip',
      size: LIMITS.chunkBytes,
      position: LIMITS.chunkBytes,
      bytes: new Uint8Array(LIMITS.dataPayloadBytes),
    });
    expect(whole.byteLength).toBeLessThanOrEqual(LIMITS.dataFrameBytes);
    const message = decode(whole.subarray(4), fromWorker) as Message<'log.append'>;
    expect(message.fields.bytes.buffer).toBe(whole.buffer);
  });

  it('is written with whole numbers as integers, never as floats', () => {
    const whole = Buffer.from(encode('log.ack', 's', { command: 'c', offset: 2 ** 40 }));
    expect(whole.includes(0xcb)).toBe(false);
    expect(whole.includes(Buffer.from([0xd3, 0, 0, 1, 0, 0, 0, 0, 0]))).toBe(true);
  });

  it('may come with whole numbers as floats, and fractions are refused', () => {
    const ack = (offset: unknown): Uint8Array => body(['log.ack', 's', { command: 'c', offset }]);
    expect(decode(ack(2 ** 40), fromMaster)).toMatchObject({ fields: { offset: 2 ** 40 } });
    for (const bad of [0.5, Number.NaN, Infinity, -1, 2 ** 53]) {
      expect(codeOf(() => decode(ack(bad), fromMaster))).toBe('bad-field');
    }
  });

  it('that breaks a limit is refused where it is made', () => {
    expect(() => encode('log.ack', 's', { command: '../etc', offset: 0 })).toThrow(SchemaError);
    expect(() => encode('log.ack', '../etc', { command: 'c', offset: 0 })).toThrow(SchemaError);
    const argv = Array.from({ length: 10 }, () => 'x'.repeat(100_000));
    expect(() => encode('command.start', 's', { command: 'c', fence: 1, spec: { kind: 'run', argv } })).toThrow(
      SchemaError,
    );
  });

  it('of an unknown type is named and not looked into; unknown fields and parts are left out', () => {
    expect(decode(body(['log.colour', 's', 7]), fromWorker)).toEqual({ unknown: 'log.colour', session: 's' });
    expect(decode(body(['pong', '', { n: 1, mood: 'good' }, 'more']), fromWorker)).toEqual({
      type: 'pong',
      session: '',
      fields: { n: 1 },
    });
    expect(decode(body(['toString', '', {}]), fromWorker)).toEqual({ unknown: 'toString', session: '' });
  });

  it('is refused from the side that may not send it', () => {
    expect(codeOf(() => decode(body(['welcome', '', {}]), fromWorker))).toBe('wrong-direction');
    expect(codeOf(() => decode(body(['hello', '', {}]), fromMaster))).toBe('wrong-direction');
  });

  it('of a data lane is refused over 32 KiB', () => {
    const fat = { command: 'c', offset: 1, padding: 'x'.repeat(32 * 1024) };
    expect(codeOf(() => decode(body(['log.ack', 's', fat]), fromMaster))).toBe('frame-too-long');
  });
});

describe('what is no message', () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
  it.each([
    ['nothing', bytes()],
    ['a timestamp', bytes(0x91, 0xd6, 0xff, 0, 0, 0, 0)],
    ['a record definition', bytes(0x92, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61)],
    ['an unused byte', bytes(0x91, 0xc1)],
    ['a key that is a number', bytes(0x81, 1, 1)],
    ['a key __proto__', body(new Map([['__proto__', 1]]))],
    ['2^53', bytes(0x91, 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0)],
    ['-2^53 - 1', bytes(0x91, 0xd3, 0xff, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ['two values', bytes(0x93, 1, 2, 3, 4)],
    ['a cut text', bytes(0x91, 0xa5, 0x61)],
    ['an array that is said to be huge', bytes(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a map that is said to be huge', bytes(0xdf, 0xff, 0xff, 0xff, 0xff)],
    ['a million small maps', new Uint8Array(200_000).fill(0x80).fill(0xdc, 0, 1).fill(0xff, 1, 3)],
    ['nesting without end', new Uint8Array(250_000).fill(0x91)],
    ['a map', body({ a: 1 })],
    ['two parts', body(['ping', ''])],
  ])('is refused as malformed: %s', (_, frame) => {
    expect(codeOf(() => decode(frame, fromWorker))).toBe('malformed');
  });

  it('never makes the decoder throw anything but a ProtocolError: random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200, size: 'max' }), (bytes) => {
        codeOf(() => decode(bytes, fromWorker));
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });

  it('never makes the decoder throw anything but a ProtocolError: true frames with bytes changed or cut off', () => {
    const spoilt = fc.record({ fields: aStart, at: fc.nat(), to: fc.nat({ max: 255 }), keep: fc.nat() });
    fc.assert(
      fc.property(spoilt, ({ fields, at, to, keep }) => {
        const bytes = Uint8Array.from(encode('command.start', 's', fields).subarray(4));
        bytes[at % bytes.byteLength] = to;
        codeOf(() => decode(bytes, fromMaster));
        expect(codeOf(() => decode(bytes.subarray(0, keep % bytes.byteLength), fromMaster))).not.toBe('nothing thrown');
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it('never makes the decoder throw anything but a ProtocolError: values of any kind under known types', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.string(),
        fc.integer(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array({ maxLength: 9 }),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(aKey, tie('any'), { maxKeys: 4 }),
      ),
    })).any;
    const keys = Object.keys(MESSAGES);
    fc.assert(
      fc.property(fc.constantFrom(...keys), anId, value, value, (type, session, one, two) => {
        for (const fields of [one, { command: two, fence: one, n: two, sessions: [one], commands: two }]) {
          codeOf(() => decode(body([type, session, fields]), fromWorker));
          codeOf(() => decode(body([type, session, fields]), fromMaster));
        }
      }),
      { seed: 6, numRuns: 500 },
    );
  });
});
