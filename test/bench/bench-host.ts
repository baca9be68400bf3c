import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** Talks to `host-main`: a master in a process of its own. */
export interface BenchHost {
  readonly port: number;
  readonly hostKeyFingerprint: string;
  ask<T>(line: string): Promise<T>;
  close(): Promise<void>;
}

export interface BenchHostOptions {
  /** The hard limit, since Node raises a soft one to it by itself. */
  readonly descriptors?: number;
  readonly heartbeatMs?: number;
}

export async function startBenchHost(dir: string, options: BenchHostOptions = {}): Promise<BenchHost> {
  const program = resolve(import.meta.dirname, 'host-main.js');
  const { descriptors, heartbeatMs } = options;
  const limit = descriptors === undefined ? ':' : `ulimit -n ${descriptors}`;
  const args = [process.execPath, program, dir, ...(heartbeatMs === undefined ? [] : [String(heartbeatMs)])];
  const child = spawn('sh', ['-c', `${limit} && exec "$0" "$@"`, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the master of the bench ended');
    return JSON.parse(value) as T;
  };
  const { port, hostKeyFingerprint } = await next<{ port: number; hostKeyFingerprint: string }>();
  return {
    port,
    hostKeyFingerprint,
    ask<T>(line: string) {
      child.stdin.write(`${line}\n`);
      return next<T>();
    },
    async close() {
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    },
  };
}
