import type { LogChunk } from '../../model/log.ts';
import { StoreError } from '../store.ts';
import { countLines, CUT_TEXT_BYTES, inflate, MEMBER_BYTES } from './gzip.ts';

/** More output buffers than this at a time would be memory without more speed: libuv has four threads. */
const AT_A_TIME = 4;
let running = 0;
const waiting: (() => void)[] = [];

/** Rejects with `bad-chunk` unless the body is what the head says: what is stored can be read for ever. */
export async function verifyChunk(chunk: LogChunk): Promise<void> {
  const { length, lines, codec, body } = chunk;
  if (!Number.isSafeInteger(length) || length < 1) throw bad('its length is not positive');
  if (codec === 'hole') {
    if (body.byteLength > 0) throw bad('it is a hole, and has a body');
    return;
  }
  if (codec === 'cut') {
    if (body.byteLength > CUT_TEXT_BYTES) throw bad(`the text of a cut is longer than ${CUT_TEXT_BYTES} bytes`);
    return;
  }
  if (length > MEMBER_BYTES) throw bad(`it holds ${length} bytes, more than ${MEMBER_BYTES}`);
  const bytes = codec === 'gzip' ? await inflateInTurn(body, length) : body;
  if (bytes.byteLength !== length) throw bad(`it holds ${bytes.byteLength} bytes instead of ${length}`);
  const found = countLines(bytes);
  if (found !== lines) throw bad(`it holds ${found} lines instead of ${lines}`);
}

async function inflateInTurn(body: Uint8Array, length: number): Promise<Uint8Array> {
  if (running < AT_A_TIME) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await inflate(body, length);
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

function bad(why: string): StoreError {
  return new StoreError('bad-chunk', `a log chunk is refused: ${why}`);
}
