import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import { errorText } from '../base/errors.ts';
import { encode } from '../protocol/codec.ts';
import { FRAME_HEAD_BYTES } from '../protocol/frame.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Fields, Message } from '../protocol/messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { Carrier, Channel } from './carrier.ts';
import { FrameChannel } from './frame-channel.ts';
import { LinkRefused } from './link-refused.ts';

const GOODBYE_MS = 2_000;

export interface GreetMasterOptions {
  readonly hello: Fields<'hello'>;
  readonly clock: Clock;
  readonly subsystem: 'trunkline-control' | 'trunkline-mux';
  readonly timeoutMs: number;
}

/** Worker: opens the first channel, says hello, waits for the welcome. Rejects with a LinkRefused; the carrier is ended then. */
export async function greetMaster(
  carrier: Carrier,
  options: GreetMasterOptions,
): Promise<{ readonly control: FrameChannel; readonly welcome: Fields<'welcome'> }> {
  const frame = encode('hello', '', options.hello);
  if (frame.byteLength > LIMITS.frameBeforeHelloBytes + FRAME_HEAD_BYTES) {
    throw new RangeError(
      `the hello has ${frame.byteLength} bytes, more than ${LIMITS.frameBeforeHelloBytes}: shorten its facts`,
    );
  }
  try {
    const answer = deferred<{ readonly control: FrameChannel; readonly message: Message }>();
    const cancel = options.clock.after(options.timeoutMs, () =>
      answer.reject(
        new LinkRefused('hello-timeout', `the master did not answer the hello within ${options.timeoutMs} ms`),
      ),
    );
    void carrier.closed.then((reason) => answer.reject(new LinkRefused('lost', reason)));
    carrier.openChannel(options.subsystem).then(
      (channel) => {
        const control = new FrameChannel(channel, { from: 'master' });
        void channel.closed.then(() => answer.reject(new LinkRefused('lost', 'the master closed the control channel')));
        takeOne(control, (message) => answer.resolve({ control, message }), answer.reject);
        channel.write(frame);
      },
      (error: unknown) =>
        answer.reject(new LinkRefused('lost', `no channel ${options.subsystem}: ${errorText(error)}`)),
    );
    const { control, message } = await answer.promise.finally(cancel);
    if (message.type === 'welcome') return { control, welcome: message.fields };
    if (message.type !== 'goodbye')
      throw new LinkRefused('unexpected', `the master answered the hello with ${message.type}`);
    throw new LinkRefused(message.fields.code, message.fields.message, message.fields.retryAfterMs);
  } catch (error) {
    carrier.destroy(errorText(error));
    throw error instanceof ProtocolError ? new LinkRefused(error.code, error.message) : error;
  }
}

export interface Greeted {
  readonly control: FrameChannel;
  readonly hello: Fields<'hello'>;
}

/**
 * Master: waits for the first channel and its hello. Channels that come before the welcome go to nobody and are closed. Rejects
 * with a ProtocolError or LinkRefused; the caller says goodbye where there is a channel to say it on.
 */
export function receiveHello(
  carrier: Carrier,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly onChannel: (channel: Channel) => void },
): { readonly greeted: Promise<Greeted>; readonly first: () => FrameChannel | undefined } {
  const greeted = deferred<Greeted>();
  let control: FrameChannel | undefined;
  const cancel = options.clock.after(options.timeoutMs, () =>
    greeted.reject(new ProtocolError('hello-timeout', `no hello came within ${options.timeoutMs} ms`)),
  );
  void carrier.closed.then((reason) => greeted.reject(new LinkRefused('lost', reason)));
  carrier.onChannel((channel) => {
    if (control) return options.onChannel(channel);
    if (channel.subsystem !== 'trunkline-control' && channel.subsystem !== 'trunkline-mux') {
      channel.onData(() => {});
      channel.close();
      greeted.reject(new ProtocolError('unexpected', `a channel ${channel.subsystem} came before the control channel`));
      return;
    }
    const first = new FrameChannel(channel, { from: 'worker', maxBodyBytes: LIMITS.frameBeforeHelloBytes });
    control = first;
    takeOne(
      first,
      (message) => {
        first.maxBodyBytes = LIMITS.controlFrameBytes;
        if (message.type === 'hello') greeted.resolve({ control: first, hello: message.fields });
        else greeted.reject(new ProtocolError('unexpected', `${message.type} before the hello`));
      },
      greeted.reject,
    );
  });
  return { greeted: greeted.promise.finally(cancel), first: () => control };
}

/** Ends a carrier whose greeting came to nothing, with a word where there is a channel for it. */
export function turnAway(carrier: Carrier, control: FrameChannel | undefined, goodbye: Fields<'goodbye'>): void {
  if (!control) return carrier.destroy(goodbye.message);
  control.sendNow('goodbye', goodbye);
  carrier.end(goodbye.message, GOODBYE_MS);
}

/** The next message alone; what follows waits for the channel's next handler. */
function takeOne(channel: FrameChannel, take: (message: Message) => void, broken: (error: Error) => void): void {
  channel.handle({
    message(message) {
      channel.handle(undefined);
      take(message);
    },
    broken,
  });
}
