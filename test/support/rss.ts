import { readFileSync } from 'node:fs';

/** What a process takes of the machine's memory now, in bytes; undefined when it is gone. */
export function rssBytes(pid: number): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    // It ended, or is ending.
    return undefined;
  }
}

const SAMPLE_MS = 50;

/** Watches the memory of processes; `most` is the highest figure that was seen of each since its first. */
export class RssWatch {
  readonly #first = new Map<string, number>();
  readonly #most = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(pids: () => Readonly<Record<string, number | undefined>>) {
    const look = (): void => {
      for (const [name, pid] of Object.entries(pids())) {
        const bytes = pid === undefined ? undefined : rssBytes(pid);
        if (bytes === undefined) continue;
        if (!this.#first.has(name)) this.#first.set(name, bytes);
        this.#most.set(name, Math.max(bytes, this.#most.get(name) ?? 0));
      }
    };
    look();
    this.#timer = setInterval(look, SAMPLE_MS);
  }

  /** By how many bytes each grew at most. */
  growth(): Readonly<Record<string, number>> {
    return Object.fromEntries(Array.from(this.#most, ([name, most]) => [name, most - (this.#first.get(name) ?? 0)]));
  }

  /** In MB, for people: `master 120 → 160`. */
  told(): string {
    const mb = (bytes = 0): string => (bytes / 1e6).toFixed(0);
    return Array.from(this.#most, ([name, most]) => `${name} ${mb(this.#first.get(name))} → ${mb(most)}`).join(', ');
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
