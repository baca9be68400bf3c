import type ssh2 from 'ssh2';
import { until } from './until.ts';

type Handler = (protocol: unknown, ...args: unknown[]) => void;

/** What ssh2's client does not offer, since no honest one needs it. */
interface Protocol {
  readonly _handlers: Record<string, Handler | undefined>;
  readonly _packetRW: {
    readonly write: { alloc(length: number): Buffer; finalize(packet: Buffer): Buffer; readonly allocStart: number };
  };
  readonly _cipher: { encrypt(packet: Buffer): void };
}

export interface Answer {
  readonly kind: string;
  readonly args: readonly unknown[];
}

const ANSWERS = [
  'CHANNEL_OPEN_CONFIRMATION',
  'CHANNEL_OPEN_FAILURE',
  'CHANNEL_SUCCESS',
  'CHANNEL_FAILURE',
  'CHANNEL_CLOSE',
  'REQUEST_SUCCESS',
  'REQUEST_FAILURE',
];

/** A connection whose keys are exchanged, on which a test sends the packets that it likes (RFC 4254) and sees each answer. */
export class RawSsh {
  readonly answers: Answer[] = [];
  readonly #protocol: Protocol;
  isClosed = false;

  constructor(client: ssh2.Client) {
    this.#protocol = (client as unknown as { readonly _protocol: Protocol })._protocol;
    for (const kind of ANSWERS) {
      this.#protocol._handlers[kind] = (_protocol, ...args) => void this.answers.push({ kind, args });
    }
    client.on('close', () => (this.isClosed = true));
  }

  send(type: number, ...fields: readonly (string | number | boolean | Uint8Array)[]): void {
    this.sendPayload(payloadOf(type, ...fields));
  }

  /** Encrypted as it is, whether it is a message or not. */
  sendPayload(payload: Uint8Array): void {
    const { write } = this.#protocol._packetRW;
    const packet = write.alloc(payload.length);
    packet.set(payload, write.allocStart);
    this.#protocol._cipher.encrypt(write.finalize(packet));
  }

  /** A session channel under this id of ours; resolves to the server's id. */
  async session(id: number): Promise<number> {
    const answer = await this.ask(90, 'session', id, 2 ** 21, 32_768);
    if (answer.kind !== 'CHANNEL_OPEN_CONFIRMATION') throw new Error(`no session: ${answer.kind}`);
    return (answer.args[0] as { readonly sender: number }).sender;
  }

  /** Sends, and after it a question that is always answered with no: the first answer; that one when there is no other. */
  async ask(type: number, ...fields: readonly (string | number | boolean | Uint8Array)[]): Promise<Answer> {
    this.answers.length = 0;
    this.send(type, ...fields);
    this.send(80, 'nothing@example.org', true);
    const wanted = type === 80 ? 2 : 1;
    const end = (): boolean => this.answers.filter(({ kind }) => kind.startsWith('REQUEST_')).length >= wanted;
    await until('it is answered', () => end() || this.isClosed);
    return this.answers[0] ?? { kind: 'the connection ended', args: [] };
  }
}

/** The bytes of a message (RFC 4251, section 5). */
export function payloadOf(type: number, ...fields: readonly (string | number | boolean | Uint8Array)[]): Buffer {
  return Buffer.concat([Buffer.from([type]), ...fields.map(field)]);
}

function field(value: string | number | boolean | Uint8Array): Buffer {
  if (typeof value === 'boolean') return Buffer.from([value ? 1 : 0]);
  if (typeof value === 'number') {
    const four = Buffer.alloc(4);
    four.writeUInt32BE(value);
    return four;
  }
  const bytes = Buffer.from(value);
  return Buffer.concat([field(bytes.length), bytes]);
}
