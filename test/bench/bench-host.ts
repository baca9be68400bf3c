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

/** Starts it; with at most so many descriptors where that is said (Node raises a soft limit to the hard one by itself). */
export async function startBenchHost(dir: string, descriptors?: number): Promise<BenchHost> {
  const program = resolve(import.meta.dirname, 'host-main.js');
  const limit = descriptors === undefined ? ':' : `ulimit -n ${descriptors}`;
  const child = spawn('sh', ['-c', `${limit} && exec "$0" "$@"`, process.execPath, program, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
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
