import type { Clock } from '../../base/clock.ts';
import { deferred } from '../../base/deferred.ts';
import { showDuration } from '../../config/duration.ts';
import { OperatorError } from '../operator.ts';

/** The same pieces, as long as the next one does not take longer than `silenceMs`. */
export async function* spoken(
  pieces: AsyncIterable<Uint8Array>,
  clock: Clock,
  silenceMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = pieces[Symbol.asyncIterator]();
  for (;;) {
    const silence = deferred<never>();
    const cancel = clock.after(silenceMs, () => {
      const text = `nothing came on standard input for ${showDuration(silenceMs)}: try again`;
      silence.reject(new OperatorError('unavailable', text));
    });
    let next;
    try {
      next = await Promise.race([input.next(), silence.promise]);
    } finally {
      cancel();
    }
    if (next.done) return;
    yield next.value;
  }
}
