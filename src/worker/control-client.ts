import { connect } from 'node:net';
import { errorCode } from '../base/errors.ts';
import { socketPath } from './control-path.ts';

export const CONTROL_VERBS = ['status', 'stop'] as const;
export type ControlVerb = (typeof CONTROL_VERBS)[number];

export type ControlReply =
  /** One JSON line of the daemon. */
  | { readonly kind: 'answer'; readonly line: string }
  /** Nobody listens. */
  | { readonly kind: 'nobody' }
  /** Somebody listens and says nothing in time, or hangs up. */
  | { readonly kind: 'silent' };

const MAX_LINE = 64 * 1024;

/** Asks the daemon behind a control socket; `stop` comes back when the daemon has let go of its folder. */
export async function askControl(wanted: string, verb: ControlVerb, timeoutMs: number): Promise<ControlReply> {
  const path = await socketPath(wanted);
  return await new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ path });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(`${JSON.stringify({ verb })}\n`));
    socket.on('data', (piece: string) => {
      text += piece;
      if (text.length > MAX_LINE) socket.destroy();
    });
    socket.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve({ kind: 'nobody' });
      else if (code !== 'EPIPE' && code !== 'ECONNRESET') reject(error);
    });
    // The daemon closes the socket after its answer; for stop, as the last thing it does.
    socket.once('close', () => {
      const end = text.indexOf('\n');
      resolve(end >= 0 ? { kind: 'answer', line: text.slice(0, end) } : { kind: 'silent' });
    });
  });
}
