import { ChunkAssembler } from '../../protocol/chunk-assembler.ts';
import type { Message } from '../../protocol/messages.ts';
import type { MasterLink } from '../../transport/link.ts';
import { limitLine } from './limit-line.ts';
import type { IntakeReplies, LogIntake } from './log-intake.ts';

/** Whose output it is. */
export interface Producer {
  readonly command: string;
  readonly session: string;
  readonly intake: LogIntake;
}

const NOTHING = new Uint8Array(0);

/** One connection's log lane: joins the frames of chunks, hands whole ones to the command's intake, answers in its words. */
export class ChunkDesk {
  readonly #link: MasterLink;
  readonly #assemblers = new Map<string, ChunkAssembler>();

  constructor(link: MasterLink) {
    this.#link = link;
  }

  repliesFor(producer: Producer, failed: (error: unknown) => void): IntakeReplies {
    const { command, session } = producer;
    const link = this.#link;
    return {
      ack: (offset) => link.send('log.ack', session, { command, offset }),
      want: (offset) => link.send('log.want', session, { command, offset }),
      consumed: (wireBytes) => link.consumed(session, wireBytes),
      failed,
    };
  }

  /** Throws a ProtocolError for frames that do not make a chunk. */
  receive(producer: Producer, message: Message<'log.append' | 'log.hole'>, wireBytes: number, nowMs: number): void {
    if (message.type === 'log.hole') {
      const { offset, length, reason } = message.fields;
      const what =
        reason === 'limit'
          ? ({ codec: 'cut', body: limitLine(message.fields) } as const)
          : ({ codec: 'hole', body: NOTHING } as const);
      producer.intake.offer({ offset, length, atMs: nowMs, lines: 0, ...what, wireBytes });
      return;
    }
    const chunk = this.#assembler(producer.session).add(message.fields, wireBytes);
    if (chunk) producer.intake.offer(chunk);
  }

  /** Of a command that nobody waits for any more. */
  drop(session: string, command: string): void {
    const wireBytes = this.#assemblers.get(session)?.drop(command) ?? 0;
    if (wireBytes > 0) this.#link.consumed(session, wireBytes);
  }

  #assembler(session: string): ChunkAssembler {
    const known = this.#assemblers.get(session);
    if (known) return known;
    const assembler = new ChunkAssembler();
    this.#assemblers.set(session, assembler);
    return assembler;
  }
}
