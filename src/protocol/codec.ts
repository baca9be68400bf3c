import { RESERVE_START_SPACE, Packr, Unpackr } from 'msgpackr';
import { checkMsgpack } from './check-msgpack.ts';
import { FRAME_HEAD_BYTES } from './frame.ts';
import { LIMITS } from './limits.ts';
import { MESSAGES } from './messages.ts';
import type { Fields, Message, MessageType } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';
import { SchemaError, matching, text } from './schema.ts';

/** A message of a type that this version does not know: it is ignored, so that newer peers may say more. */
export interface UnknownMessage {
  readonly unknown: string;
  readonly session: string;
}

const OPTIONS = { useRecords: false, mapsAsObjects: true, variableMapSize: true, useToJSON: false } as const;
const packer = new Packr(OPTIONS);
const unpacker = new Unpackr({ ...OPTIONS, int64AsType: 'number' });

const checkType = text(64);
/** '' on control; else a session's id, which the worker makes a name of files of. */
const checkSession = matching(/^(?:[A-Za-z0-9][A-Za-z0-9._-]*)?$/, 200);
/** MessagePack's mark of a byte string with a length of 16 bits, and the bytes it takes. */
const BIN_16 = 0xc5;
const BIN_16_HEAD_BYTES = 3;
const NO_BYTES = new Uint8Array(0);

/**
 * A whole frame, length first. The fields are checked as the peer will check them (SchemaError), so that a fault of ours shows
 * where it is made and not as the peer's goodbye.
 */
export function encode<T extends MessageType>(type: T, session: string, fields: Fields<T>): Uint8Array {
  const entry = MESSAGES[type];
  const checked: Record<string, unknown> = { ...entry.fields(fields, type) };
  checkSession(session, 'session');
  const payload = checked['bytes'];
  const whole =
    payload instanceof Uint8Array
      ? withPayload(type, session, checked, payload)
      : pack([type, session, widen(checked)]);
  const limit = entry.lane === 'control' ? LIMITS.controlFrameBytes + FRAME_HEAD_BYTES : LIMITS.dataFrameBytes;
  if (whole.byteLength > limit) {
    throw new SchemaError(`${type}: the frame would have ${whole.byteLength} bytes, more than ${limit}`);
  }
  return whole;
}

/**
 * A checked message, from a frame's body. Throws a ProtocolError and nothing else. Byte strings of the message alias the body.
 */
export function decode(body: Uint8Array, options: { readonly from: 'worker' | 'master' }): Message | UnknownMessage {
  const parts = unpack(body);
  if (!Array.isArray(parts) || parts.length < 3) {
    throw new ProtocolError('malformed', 'a frame is not an array of type, session and fields');
  }
  try {
    const type = checkType(parts[0], 'type');
    const session = checkSession(parts[1], 'session');
    if (!isKnown(type)) return { unknown: type, session };
    const { from, lane, fields } = MESSAGES[type];
    if (from !== 'both' && from !== options.from) {
      throw new ProtocolError('wrong-direction', `${type} is not a message that a ${options.from} sends`);
    }
    if (lane !== 'control' && body.byteLength > LIMITS.dataFrameBytes - FRAME_HEAD_BYTES) {
      throw new ProtocolError('frame-too-long', `${type} of ${body.byteLength} bytes does not fit a data frame`);
    }
    return { type, session, fields: fields(parts[2], type) } as Message;
  } catch (error) {
    if (error instanceof SchemaError) throw new ProtocolError('bad-field', error.message, { cause: error });
    throw error;
  }
}

function isKnown(type: string): type is MessageType {
  return Object.hasOwn(MESSAGES, type);
}

function unpack(body: Uint8Array): unknown {
  checkMsgpack(body);
  try {
    return unpacker.unpack(body);
  } catch (error) {
    throw new ProtocolError('malformed', 'a frame cannot be decoded', { cause: error });
  }
}

/** Room for the length is left by the packer, so that nothing is copied for it. */
function pack(parts: readonly unknown[]): Buffer {
  const whole = packer.pack(parts, RESERVE_START_SPACE | FRAME_HEAD_BYTES);
  whole.writeUInt32BE(whole.byteLength - FRAME_HEAD_BYTES, 0);
  return whole;
}

/** The payload comes last and is copied once, into the frame; the packer would copy it twice and keep its grown buffer. */
function withPayload(type: string, session: string, fields: Record<string, unknown>, payload: Uint8Array): Uint8Array {
  delete fields['bytes'];
  const head = pack([type, session, widen({ ...fields, bytes: NO_BYTES })]);
  // What an empty byte string takes at the end of the head (its mark and a length of 8 bits) makes room for the real one.
  const start = head.byteLength - 2;
  const whole = Buffer.allocUnsafeSlow(start + BIN_16_HEAD_BYTES + payload.byteLength);
  head.copy(whole, 0, 0, start);
  whole.writeUInt32BE(whole.byteLength - FRAME_HEAD_BYTES, 0);
  whole.writeUInt8(BIN_16, start);
  whole.writeUInt16BE(payload.byteLength, start + 1);
  whole.set(payload, start + BIN_16_HEAD_BYTES);
  return whole;
}

/** msgpackr writes a number over 32 bits as a float, a BigInt as an integer: what is an integer here is one on the wire. */
function widen(value: unknown): unknown {
  if (typeof value === 'number') return value > 0xffff_ffff ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(widen);
  const wide: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) wide[key] = widen(entry);
  return wide;
}
