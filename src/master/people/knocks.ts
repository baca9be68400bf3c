import type { Clock } from '../../base/clock.ts';
import type { PublicKey } from '../../model/principal.ts';
import { isName } from '../../model/names.ts';
import { fingerprint, isWholeKey } from '../../transport/keys.ts';

/** A key that came under a name which is nobody's. It proves nothing: anyone may show any public key. */
export interface Knock {
  readonly name: string;
  readonly key: PublicKey;
  /** `SHA256:…` */
  readonly fingerprint: string;
  readonly address: string;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly count: number;
}

export interface KnocksOptions {
  readonly clock: Clock;
  /** A worker of the configuration: strangers who try names do not push it out. */
  readonly isExpected: (name: string) => boolean;
}

const MOST = 200;
const MOST_OF_NAME = 20;

/** Remembers who knocked, so that an operator can let one in: so many, newest last, in memory alone. */
export class Knocks {
  readonly #options: KnocksOptions;
  readonly #knocks = new Map<string, Knock>();

  constructor(options: KnocksOptions) {
    this.#options = options;
  }

  note(name: string, key: { readonly type: string; readonly blob: string }, address: string): void {
    if (!isName(name) || !isWholeKey(key)) return;
    const shown = fingerprint(key);
    const id = `${name} ${shown}`;
    const nowMs = this.#options.clock.now();
    const known = this.#knocks.get(id);
    this.#knocks.delete(id);
    this.#knocks.set(id, {
      name,
      key: { type: key.type, blob: key.blob, comment: '' },
      fingerprint: shown,
      address,
      firstAtMs: known?.firstAtMs ?? nowMs,
      lastAtMs: nowMs,
      count: (known?.count ?? 0) + 1,
    });
    this.#makeRoom(name);
  }

  /** Newest first. */
  list(): readonly Knock[] {
    return Array.from(this.#knocks.values()).reverse();
  }

  /** The name is somebody's now. */
  forget(name: string): void {
    for (const [id, knock] of this.#knocks) if (knock.name === name) this.#knocks.delete(id);
  }

  #makeRoom(newest: string): void {
    const all = Array.from(this.#knocks);
    const ofName = all.filter(([, { name }]) => name === newest);
    const strangers = all.filter(([, { name }]) => !this.#options.isExpected(name));
    const oldest = ofName.length > MOST_OF_NAME ? ofName[0] : all.length > MOST ? (strangers[0] ?? all[0]) : undefined;
    if (oldest) this.#knocks.delete(oldest[0]);
  }
}
