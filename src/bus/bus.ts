import type { Cancel } from '../base/clock.ts';

/**
 * What may have changed; the key names the row: a request, build or log by id, a worker by name, schedulers by their project.
 * `locks`: a step of the build waits for some, or has let go of some.
 */
export type Topic = 'requests' | 'builds' | 'logs' | 'workers' | 'locks' | 'schedulers';
export type Key = string | number;

/** Wake-up signals. They carry no news: who is woken reads the rows again. Lost or doubled ones do no harm. */
export interface Bus {
  /** Call after the commit. Signals of one topic and key within one turn of the event loop come as one. */
  publish(topic: Topic, key: Key): void;
  subscribe(topic: Topic, listener: (key: Key) => void): Cancel;
}
