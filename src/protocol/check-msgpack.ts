import { LIMITS } from './limits.ts';
import { ProtocolError } from './protocol-error.ts';

/** The high half of the first 64-bit integer that a JavaScript number cannot hold exactly. */
const MAX_HIGH_WORD = 2 ** 21;

/**
 * Walks over one MessagePack value without making anything of it, and refuses what no frame may hold before a decoder sees it:
 * extension types, keys that are not text or are `__proto__`, integers beyond 2^53-1, nesting and counts over the limits, and
 * a value that is cut off or followed by more. A decoder may so be as lenient as it likes, and what it builds is bounded.
 */
export function checkMsgpack(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.byteLength;
  let at = 0;
  let items = 0;

  const advance = (count: number): number => {
    const from = at;
    if (count > end - at) malformed('it is cut off');
    at += count;
    return from;
  };
  const u8 = (): number => view.getUint8(advance(1));
  const u16 = (): number => view.getUint16(advance(2));
  const u32 = (): number => view.getUint32(advance(4));

  const textLength = (tag: number): number => {
    if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f;
    if (tag === 0xd9) return u8();
    if (tag === 0xda) return u16();
    if (tag === 0xdb) return u32();
    return malformed('a key of a map is not text');
  };

  const values = (count: number, isMap: boolean, depth: number): void => {
    if (depth > LIMITS.frameDepth) malformed(`it is nested deeper than ${LIMITS.frameDepth}`);
    // Counted before the walk: a frame of a thousand bytes that announces a million entries ends here.
    if (count > end - at) malformed('it is cut off');
    for (let i = 0; i < count; i++) {
      if (isMap) {
        const length = textLength(u8());
        if (isProto(bytes, advance(length), length)) malformed('a map has the key __proto__');
      }
      value(depth);
    }
  };

  const value = (depth: number): void => {
    if (++items > LIMITS.frameItems) malformed(`it holds more than ${LIMITS.frameItems} values`);
    const tag = u8();
    if (tag <= 0x7f || tag >= 0xe0) return;
    if (tag <= 0x8f) return values(tag & 0x0f, true, depth + 1);
    if (tag <= 0x9f) return values(tag & 0x0f, false, depth + 1);
    if (tag <= 0xbf) return void advance(tag & 0x1f);
    switch (tag) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return;
      case 0xc4:
      case 0xd9:
        return void advance(u8());
      case 0xc5:
      case 0xda:
        return void advance(u16());
      case 0xc6:
      case 0xdb:
        return void advance(u32());
      case 0xcc:
      case 0xd0:
        return void advance(1);
      case 0xcd:
      case 0xd1:
        return void advance(2);
      // Floats are let through: peers in JavaScript send whole numbers so. The schema wants integers, and no field is a fraction.
      case 0xca:
      case 0xce:
      case 0xd2:
        return void advance(4);
      case 0xcb:
        return void advance(8);
      case 0xcf:
        if (view.getUint32(advance(8)) >= MAX_HIGH_WORD) malformed('an integer is beyond 2^53-1');
        return;
      case 0xd3: {
        const high = view.getInt32(advance(8));
        if (high >= MAX_HIGH_WORD || high < -MAX_HIGH_WORD) malformed('an integer is beyond 2^53-1');
        return;
      }
      case 0xdc:
        return values(u16(), false, depth + 1);
      case 0xdd:
        return values(u32(), false, depth + 1);
      case 0xde:
        return values(u16(), true, depth + 1);
      case 0xdf:
        return values(u32(), true, depth + 1);
      default:
        malformed(`a value of kind 0x${tag.toString(16)}; extension types are not used`);
    }
  };

  value(0);
  if (at !== end) malformed('something follows it');
}

const PROTO = new TextEncoder().encode('__proto__');

function isProto(bytes: Uint8Array, at: number, length: number): boolean {
  return length === PROTO.byteLength && PROTO.every((byte, index) => bytes[at + index] === byte);
}

function malformed(what: string): never {
  throw new ProtocolError('malformed', `a frame is not well-formed MessagePack: ${what}`);
}
