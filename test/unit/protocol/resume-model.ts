import { planSending, receiveChunk, reviewCommand } from '../../../src/protocol/resume.ts';
import type { HeldOutput, LogCap, LogHole } from '../../../src/protocol/resume.ts';

/** The byte that the process writes at an offset: unlike its neighbours, so that a byte in a wrong place shows. */
export const byteAt = (offset: number): number => (offset * 167 + (offset >> 8) * 13) & 0xff;

type ToMaster =
  | { readonly type: 'chunk'; readonly offset: number; readonly bytes: readonly number[] }
  | ({ readonly type: 'hole' } & LogHole)
  | { readonly type: 'finished'; readonly outputEnd: number };
type ToWorker = { readonly type: 'ack' | 'want'; readonly offset: number };

interface MasterDisk {
  readonly fence: number;
  /** One entry a byte, or why it is not there. */
  readonly log: readonly (number | 'lost' | 'limit')[];
  readonly isFinished: boolean;
}

/** One command, its worker and its master, with disks that last and a line that does not. Every step is atomic. */
export class ResumeModel {
  /** Bytes behind the head are held from `heldFrom` on. */
  worker = { start: 0, end: 0, durableEnd: 0, heldFrom: 0, fence: 1, isFinished: false };
  master: MasterDisk = { fence: 1, log: [], isFinished: false };
  shortMarks: { readonly at: number; readonly bytes: number }[] = [];
  powerLosses = 0;
  /** What the worker said was left out in all. */
  toldLeftOut: number | undefined;
  readonly #cap: LogCap | undefined;
  #backup: MasterDisk = this.master;
  #toMaster: ToMaster[] = [];
  #toWorker: ToWorker[] = [];
  #next = 0;
  #hasToldEnd = false;
  #wantedAt: number | undefined;
  #toldOutputEnd: number | undefined;

  constructor(cap?: LogCap) {
    this.#cap = cap;
  }

  /** The process writes; not after its end. */
  write(count: number): void {
    if (this.worker.isFinished) return;
    this.worker.end += count;
    // As the ring of segments does: what is behind the head and too old for the tail is gone at once.
    const { headBytes = Infinity, tailBytes = 0 } = this.#cap ?? {};
    this.worker.heldFrom = Math.max(headBytes, this.worker.end - tailBytes);
  }

  finish(): void {
    this.worker.isFinished = true;
  }

  sync(): void {
    this.worker.durableEnd = this.worker.end;
  }

  /** The worker sends up to `count` bytes as one chunk, or a hole; and when all is sent, the end. */
  send(count: number): void {
    const { end, isFinished } = this.worker;
    const plan = planSending(this.#held(), this.#next);
    if (plan.hole) {
      this.#toMaster.push({ type: 'hole', ...plan.hole });
      this.#next += plan.hole.length;
    } else if (this.#next < plan.to) {
      const length = Math.min(count, plan.to - this.#next);
      const bytes = Array.from({ length }, (_, i) => this.#read(this.#next + i));
      this.#toMaster.push({ type: 'chunk', offset: this.#next, bytes });
      this.#next += length;
    }
    if (isFinished && this.#next >= end && !this.#hasToldEnd) {
      this.#hasToldEnd = true;
      this.#toMaster.push({ type: 'finished', outputEnd: end });
    }
  }

  /** The master takes one message off the line; `twice` plays a duplicate. */
  deliverToMaster(twice = false): void {
    const message = this.#toMaster.shift();
    if (!message) return;
    this.#receive(message);
    if (twice) this.#receive(message);
  }

  deliverToWorker(twice = false): void {
    const message = this.#toWorker.shift();
    if (!message) return;
    for (let i = 0; i < (twice ? 2 : 1); i++) {
      if (message.type === 'want') this.#sendFrom(message.offset);
      else this.#acknowledged(Math.min(message.offset, this.worker.end));
    }
  }

  /** The line is lost with all that is on it; or either side is restarted: it comes to the same. Then they meet again. */
  reconnect(): void {
    this.#toMaster = [];
    this.#toWorker = [];
    this.#wantedAt = undefined;
    this.#toldOutputEnd = undefined;
    this.#hasToldEnd = false;
    if (this.master.isFinished) return;
    this.master = { ...this.master, fence: this.master.fence + 1 };
    const review = this.#review();
    if (review.action !== 'continue') throw new Error(`a wanted command is answered ${review.action}`);
    const { fence, from } = review.verdict;
    if (fence === undefined || from === undefined) throw new Error('continue without a fence or an offset');
    if (fence < this.worker.fence) throw new Error('the fence fell');
    this.worker.fence = fence;
    if (review.workerShort) this.shortMarks.push(review.workerShort);
    this.#sendFrom(from);
  }

  /** The worker's machine goes down: what was not synced is gone, and the process with it. */
  losePower(): void {
    this.powerLosses += 1;
    this.worker.end = Math.max(this.worker.start, this.worker.durableEnd);
    // Of the ring nothing is sure to be on the disk but what was synced, and that may have been dropped since.
    this.worker.heldFrom = Math.min(this.worker.heldFrom, this.worker.end);
    this.worker.isFinished = true;
    this.reconnect();
  }

  backUp(): void {
    this.#backup = this.master;
  }

  /** The master's database goes back. (After the end there is nothing at the worker to go on with.) */
  putBack(): void {
    if (!this.master.isFinished) this.master = this.#backup;
    this.reconnect();
  }

  /** Lets all go on undisturbed; false when it does not come to an end. */
  settle(): boolean {
    this.finish();
    this.reconnect();
    for (let i = 0; i < 10_000 && !this.master.isFinished; i++) {
      this.send(50);
      this.deliverToMaster();
      this.deliverToWorker();
    }
    return this.master.isFinished;
  }

  #held(): HeldOutput {
    const { start: outputStart, end: outputEnd, heldFrom, isFinished } = this.worker;
    const held = { state: isFinished ? ('finished' as const) : ('running' as const), outputStart, outputEnd };
    return this.#cap ? { ...held, cap: { ...this.#cap, heldFrom } } : held;
  }

  #read(offset: number): number {
    const { start, end, heldFrom } = this.worker;
    const isInHead = offset < (this.#cap?.headBytes ?? Infinity);
    if (offset < (isInHead ? start : heldFrom) || offset >= end) {
      throw new Error(`asked to send ${offset} of a log of which ${start} and ${heldFrom} to ${end} are held`);
    }
    return byteAt(offset);
  }

  #acknowledged(offset: number): void {
    const { worker } = this;
    worker.start = Math.max(worker.start, Math.min(offset, this.#cap?.headBytes ?? Infinity));
    if (worker.isFinished) worker.heldFrom = Math.max(worker.heldFrom, offset);
  }

  #review(): ReturnType<typeof reviewCommand> {
    const state = {
      command: 'c',
      session: 's',
      fence: this.worker.fence,
      ...this.#held(),
    };
    const stored = { isKnown: true, isFinished: false, fence: this.master.fence, storedEnd: this.master.log.length };
    const review = reviewCommand(stored, state);
    if (review.action !== 'raise-fence') return review;
    this.master = { ...this.master, fence: review.above + 1 };
    return reviewCommand({ ...stored, fence: this.master.fence }, state);
  }

  #sendFrom(offset: number): void {
    this.#next = offset;
  }

  #receive(message: ToMaster): void {
    if (this.master.isFinished) return;
    if (message.type === 'finished') {
      this.#toldOutputEnd = message.outputEnd;
    } else {
      const bytes: MasterDisk['log'] =
        message.type === 'chunk'
          ? message.bytes
          : Array.from({ length: message.length }, () => message.reason ?? 'lost');
      const storedEnd = this.master.log.length;
      const chunk = { offset: message.offset, length: bytes.length };
      const answer = receiveChunk({ storedEnd, wantedAt: this.#wantedAt }, chunk);
      if (answer.action === 'store') {
        this.master = { ...this.master, log: [...this.master.log, ...bytes] };
        if (message.type === 'hole') this.toldLeftOut = message.leftOutBytes ?? this.toldLeftOut;
        this.#toWorker.push({ type: 'ack', offset: this.master.log.length });
      } else if (answer.action === 'known') {
        this.#toWorker.push({ type: 'ack', offset: answer.ack });
      } else if (answer.action === 'want') {
        this.#wantedAt = answer.offset;
        this.#toWorker.push({ type: 'want', offset: answer.offset });
      }
    }
    if (this.#toldOutputEnd !== undefined && this.master.log.length >= this.#toldOutputEnd) {
      this.master = { ...this.master, isFinished: true };
    }
  }
}
