import type { ConfigShape } from '../../config/shape.ts';
import { Rounds } from '../rounds.ts';
import { Lane } from './lane.ts';
import type { LaneOptions } from './lane.ts';

export interface OutboxSenderOptions extends Omit<LaneOptions, 'reporter'> {
  readonly config: () => Pick<ConfigShape, 'reporters'>;
}

const UNCONFIGURED = 'its reporter is not in the configuration any more';

/** Has each reporter send what waits for it; one that hangs holds no other up. */
export class OutboxSender {
  readonly #options: OutboxSenderOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #rounds: Rounds;
  #isOpen = false;

  constructor(options: OutboxSenderOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const failed = 'the outbox could not be looked through; it is tried again';
    this.#rounds = new Rounds({ clock, logger, failed, round: () => this.#round() });
  }

  open(): void {
    this.#isOpen = true;
    this.look();
  }

  /** There is something to send, or the configuration is another one. */
  look(): void {
    if (this.#isOpen) this.#rounds.wake();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#rounds.close();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
  }

  async #round(): Promise<void> {
    const { store, clock, config } = this.#options;
    const configured = new Set(config().reporters.map(({ name }) => name));
    for (const name of await store.outbox.reporters()) {
      if (!configured.has(name)) await store.outbox.giveUpOf(name, UNCONFIGURED, clock.now());
      else this.#laneOf(name).wake();
    }
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (!lane) {
      const reporter = (): ConfigShape['reporters'][number] | undefined =>
        this.#options.config().reporters.find((one) => one.name === name);
      lane = new Lane(name, { ...this.#options, reporter });
      this.#lanes.set(name, lane);
    }
    return lane;
  }
}
