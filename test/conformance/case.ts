import type { Stage } from './stage.ts';

/** One rule of docs/protocol.md, asked of a worker. */
export interface Case {
  /** `C07`. */
  readonly id: string;
  /** The rule, as a statement. */
  readonly rule: string;
  /** Of docs/protocol.md. */
  readonly section: number;
  /** Throws a `Breach` that says what came and what was expected. */
  readonly run: (stage: Stage) => Promise<void>;
}
