import { readFile, readdir } from 'node:fs/promises';

/** What a process holds, as the system counts it. */
export interface ProcessFigures {
  readonly descriptors: number;
  readonly residentMiB: number;
}

export async function figuresOf(pid: number): Promise<ProcessFigures> {
  const [descriptors, status] = await Promise.all([
    readdir(`/proc/${pid}/fd`),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  const kiB = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { descriptors: descriptors.length, residentMiB: Math.round(kiB / 1024) };
}
