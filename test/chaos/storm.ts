import { setTimeout as sleep } from 'node:timers/promises';
import { HEARTBEAT_S, RETRY_AFTER_S, WORKERS } from './farm-config.ts';
import type { Holds } from './holds.ts';
import type { FaultKind } from './options.ts';
import type { Random } from './random.ts';
import type { Site } from './site.ts';

/** Longer than a peer may be silent. */
const DEAD_LINE_MS = (3 * HEARTBEAT_S + 2) * 1_000;
/** Longer than builds of a lost worker are waited for. */
const LOST_MS = (RETRY_AFTER_S + 10) * 1_000;

interface Fault {
  readonly text: string;
  /** What it hurts: two at once never share any of it. */
  readonly hurts: readonly string[];
  /** Does it, and makes good again. */
  readonly run: () => Promise<void>;
}

/** Faults in rounds: each has one to three at once, and is over when all that it hurt is up again. */
export class Storm {
  readonly #site: Site;
  readonly #holds: Holds;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly counts = new Map<string, number>();

  constructor(site: Site, holds: Holds, random: Random, kinds: readonly FaultKind[]) {
    this.#site = site;
    this.#holds = holds;
    this.#random = random;
    this.#kinds = kinds;
  }

  /** Tells what it is going to do. */
  async round(tell: (text: string) => void): Promise<void> {
    const faults: Fault[] = [];
    const hurt = new Set<string>();
    for (let left = this.#random.pick([1, 1, 2, 3]); left > 0; left--) {
      const fault = this.#pick();
      if (fault.hurts.some((name) => hurt.has(name))) continue;
      for (const name of fault.hurts) hurt.add(name);
      faults.push(fault);
    }
    const calmMs = this.#random.between(200, 4_000);
    for (const { text } of faults) {
      const [kind = ''] = text.split(':');
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    }
    tell(faults.map(({ text }) => text).join(' + '));
    await Promise.all(faults.map((fault) => fault.run()));
    await sleep(calmMs);
  }

  #pick(): Fault {
    const random = this.#random;
    const worker = random.pick(WORKERS);
    // All chance is taken here, so that what comes of one fault does not shift the next.
    const daemon = random.chance(0.35) ? 'master' : worker;
    const awayMs = random.between(0, 4_000);
    const bytes = Math.round(random.between(1, 400_000));
    const [isAll, isLong, dice] = [random.chance(0.25), random.chance(0.06), random.next()];
    switch (random.pick(this.#kinds)) {
      case 'kill':
        if (isLong) return this.#kill(worker, LOST_MS);
        return isAll ? this.#killAll(random.shuffle(WORKERS).slice(0, 2), awayMs) : this.#kill(daemon, awayMs);
      case 'freeze':
        return this.#freeze(daemon, isLong ? DEAD_LINE_MS : 300 + awayMs * 1.5);
      case 'line':
        if (isLong) return this.#stall(worker, dice < 0.5 ? LOST_MS : DEAD_LINE_MS, false);
        if (dice < 0.3) return this.#stall(worker, awayMs * 2, dice < 0.1);
        if (dice < 0.45) return this.#slow(worker, bytes / 2, awayMs * 3);
        return dice < 0.7 ? this.#cut(isAll ? WORKERS : [worker]) : this.#cutAfter(worker, bytes, awayMs);
      case 'reload':
        return { text: 'reload', hurts: ['master'], run: () => this.#site.reload() };
      case 'stop':
        return this.#stop(daemon, awayMs);
      case 'keeper':
        return {
          text: `kill keeper: ${worker}`,
          hurts: [`${worker}'s keeper`],
          run: () => this.#site.killKeepers(worker),
        };
      case 'hold':
        return this.#hold(worker, dice < 0.5 ? 'drain' : 'pause', awayMs * 2);
      case 'rotate':
        return { text: `rotate: ${worker}`, hurts: [`${worker}'s key`], run: () => this.#holds.rotate(worker) };
      default:
        throw new Error('there is no such fault');
    }
  }

  #kill(name: string, awayMs: number): Fault {
    return {
      text: `kill: ${name} for ${ms(awayMs)}`,
      // A killed keeper that no daemon follows ends nothing: what it ran goes on for as long as both are away.
      hurts: [name, `${name}'s keeper`],
      run: async () => {
        await this.#site.end(name, 'SIGKILL');
        await sleep(awayMs);
        await this.#site.start(name);
      },
    };
  }

  #killAll(workers: readonly string[], awayMs: number): Fault {
    const hurts = ['master', ...workers];
    return {
      text: `kill at once: ${hurts.join(', ')} for ${ms(awayMs)}`,
      hurts,
      run: async () => {
        await Promise.all(hurts.map((name) => this.#site.end(name, 'SIGKILL')));
        await sleep(awayMs);
        await Promise.all(hurts.map((name) => this.#site.start(name)));
      },
    };
  }

  #freeze(name: string, forMs: number): Fault {
    return {
      text: `freeze: ${name} for ${ms(forMs)}`,
      hurts: [name, `${name}'s keeper`],
      run: async () => {
        this.#site.signal(name, 'SIGSTOP');
        await sleep(forMs);
        this.#site.signal(name, 'SIGCONT');
      },
    };
  }

  #stall(worker: string, forMs: number, isCutThen: boolean): Fault {
    return {
      text: `stall: line of ${worker} for ${ms(forMs)}${isCutThen ? ', then cut' : ''}`,
      hurts: [`${worker}'s line`],
      run: async () => {
        const relay = this.#site.relay(worker);
        relay.stall();
        await sleep(forMs);
        if (isCutThen) relay.cut();
        relay.flow();
      },
    };
  }

  #slow(worker: string, bytesASecond: number, forMs: number): Fault {
    return {
      text: `slow: line of ${worker} at ${Math.round(bytesASecond)} bytes a second for ${ms(forMs)}`,
      hurts: [`${worker}'s line`],
      run: async () => {
        this.#site.relay(worker).slow(bytesASecond);
        await sleep(forMs);
        this.#site.relay(worker).flow();
      },
    };
  }

  #cut(workers: readonly string[]): Fault {
    return {
      text: `cut: line of ${workers.join(', ')}`,
      hurts: workers.map((name) => `${name}'s line`),
      run: async () => {
        for (const name of workers) this.#site.relay(name).cut();
      },
    };
  }

  #cutAfter(worker: string, bytes: number, forMs: number): Fault {
    return {
      text: `cut after: ${bytes} bytes on the line of ${worker}, for ${ms(forMs)}`,
      hurts: [`${worker}'s line`],
      run: async () => {
        this.#site.relay(worker).cutAfter(bytes);
        await sleep(forMs);
        this.#site.relay(worker).cutAfter(Infinity);
      },
    };
  }

  #hold(worker: string, verb: 'pause' | 'drain', forMs: number): Fault {
    return {
      text: `${verb}: ${worker} for ${ms(forMs)}`,
      hurts: [`${worker}'s hold`],
      run: () => this.#holds.hold(worker, verb, forMs),
    };
  }

  #stop(name: string, awayMs: number): Fault {
    return {
      text: `stop: ${name} for ${ms(awayMs)}`,
      hurts: [name],
      run: async () => {
        await this.#site.stopOrderly(name);
        await sleep(awayMs);
        await this.#site.start(name);
      },
    };
  }
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
