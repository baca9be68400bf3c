import type { Context } from 'koa';
import { WebError } from '../problem.ts';

/** Of all bodies together that are on their way. */
const ROOM_BYTES = 64 * 1024 * 1024;

/** A forge sends the texts and the files of all commits of a push: GitHub up to 25 MB, of which nobody saw much more than one. */
export const HOOK_BODY_MAX = 5 * 1024 * 1024;

/** Bodies are kept in memory until their signature is known: so much of it. */
export class BodyRoom {
  #bytes = 0;

  /** Reads what says how long it is, within the limit. Throws a `WebError`; of what follows then nothing is read. */
  async read(ctx: Context): Promise<Buffer> {
    let taken = 0;
    try {
      checkLength(ctx);
      if (ctx.get('expect') !== '') ctx.res.writeContinue();
      return await readAll(ctx, (bytes) => {
        taken += bytes;
        this.#bytes += bytes;
        if (this.#bytes > ROOM_BYTES)
          throw new WebError(503, 'too much is on its way to this master: send it again later');
      });
    } finally {
      this.#bytes -= taken;
    }
  }
}

/** Every forge says it. Who does not could send it in a million pieces, each of which takes as long as a large one. */
function checkLength(ctx: Context): void {
  if (ctx.get('transfer-encoding') !== '') throw new WebError(411, 'a webhook is sent with its length');
  if (Number(ctx.get('content-length') || 0) <= HOOK_BODY_MAX) return;
  throw new WebError(413, `a webhook has at most ${HOOK_BODY_MAX} bytes`);
}

/** `check` throws when there is too much. The request is left as it is then, for the answer goes the same way. */
async function readAll({ req }: Context, check: (bytes: number) => void): Promise<Buffer> {
  const pieces: Buffer[] = [];
  return await new Promise((resolve, reject) => {
    const onData = (piece: Buffer): void => {
      try {
        check(piece.length);
        pieces.push(piece);
      } catch (error) {
        req.off('data', onData);
        req.pause();
        reject(error);
      }
    };
    req.on('data', onData);
    req.once('end', () => resolve(Buffer.concat(pieces)));
    req.once('close', () => reject(new WebError(400, 'the body did not come whole')));
    req.once('error', () => reject(new WebError(400, 'the body did not come whole')));
  });
}
