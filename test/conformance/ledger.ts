import { LIMITS, MiB } from '../../src/protocol/limits.ts';
import { Breach } from './breach.ts';

/** The whole worker's, beside those of its sessions. */
const WORKER = '';

/** The credit of one connection: what was granted, what the worker has spent. More than was granted is a breach. */
export class Ledger {
  readonly #granted = new Map<string, number>();
  readonly #spent = new Map<string, number>();
  readonly #tell: (session: string, total: number) => void;
  /** What a session is given when it is opened; 0: the case gives it itself. */
  sessionBytes = 1 * MiB;
  /** The same of the worker, with the welcome. */
  workerBytes: number = LIMITS.workerCreditBytes;

  constructor(tell: (session: string, total: number) => void) {
    this.#tell = tell;
  }

  begin(): void {
    if (this.workerBytes > 0) this.grant(WORKER, this.workerBytes);
  }

  open(session: string): void {
    const before = this.#granted.get(session) ?? 0;
    if (this.sessionBytes > 0) this.grant(session, Math.max(before, this.sessionBytes));
  }

  /** Raises the total, and says so. */
  grant(session: string, total: number): void {
    this.#granted.set(session, Math.max(total, this.#granted.get(session) ?? 0));
    this.#tell(session, total);
  }

  spend(session: string, wireBytes: number): void {
    for (const [account, whose] of [
      [session, `session ${session}`],
      [WORKER, 'the worker'],
    ] as const) {
      const [spent, granted] = [this.spent(account) + wireBytes, this.#granted.get(account) ?? 0];
      this.#spent.set(account, spent);
      if (spent > granted) {
        throw new Breach(`came ${spent} bytes of log frames of ${whose}, expected ${granted} at most: its credit`);
      }
    }
  }

  /** Wire bytes of log frames, of a session or ('') in all. */
  spent(account: string): number {
    return this.#spent.get(account) ?? 0;
  }

  giveBack(session: string, wireBytes: number): void {
    for (const account of [session, WORKER]) this.grant(account, (this.#granted.get(account) ?? 0) + wireBytes);
  }
}
