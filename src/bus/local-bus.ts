import type { Cancel } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Signal } from '../base/signal.ts';
import type { Bus, Key, Topic } from './bus.ts';

/** The bus of one process. A listener that throws is told in the log: the publisher has nothing to do with it. */
export class LocalBus implements Bus {
  readonly #logger: Logger;
  readonly #signals: Readonly<Record<Topic, Signal<Key>>> = {
    requests: new Signal(),
    builds: new Signal(),
    logs: new Signal(),
    workers: new Signal(),
    locks: new Signal(),
    schedulers: new Signal(),
  };
  #pending = new Map<Topic, Set<Key>>();
  #isPlanned = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  publish(topic: Topic, key: Key): void {
    const keys = this.#pending.get(topic);
    if (keys) keys.add(key);
    else this.#pending.set(topic, new Set([key]));
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => this.#deliver());
  }

  subscribe(topic: Topic, listener: (key: Key) => void): Cancel {
    return this.#signals[topic].on(listener);
  }

  #deliver(): void {
    const pending = this.#pending;
    this.#pending = new Map();
    this.#isPlanned = false;
    for (const [topic, keys] of pending) {
      for (const key of keys) {
        try {
          this.#signals[topic].emit(key);
        } catch (error) {
          this.#logger.error('a listener of the bus failed', { topic, key, error: errorText(error) });
        }
      }
    }
  }
}
