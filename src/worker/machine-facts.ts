import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { arch, cpus, hostname, release, totalmem, type } from 'node:os';
import { findCgroupBase } from './keeper/cgroup.ts';

/** A hello has to fit into 4 KiB: so long may one fact be. */
const MAX_FACT = 80;
/** A tool that does not tell its version in this time is taken for absent. */
const PROBE_TIMEOUT_MS = 10_000;
const MAX_OUTPUT = 64 * 1024;

const TOOLS: Readonly<Record<string, readonly string[]>> = {
  git: ['--version'],
  make: ['--version'],
  gcc: ['--version'],
  python3: ['--version'],
  podman: ['--version'],
  docker: ['--version'],
};

/** What a configuration may want to know of the machine. The disk's free space is of `workDir`. */
export async function machineFacts(workDir: string): Promise<Readonly<Record<string, string>>> {
  const tools = await Promise.all(
    Object.entries(TOOLS).map(async ([tool, args]) => [`tool.${tool}`, await toolVersion(tool, args)] as const),
  );
  const facts: Record<string, string> = {
    os: type(),
    kernel: release(),
    arch: arch(),
    cores: String(cpus().length),
    memoryBytes: String(totalmem()),
    hostname: hostname(),
    node: process.versions.node,
    cgroup: cgroupFact(),
    freeBytes: String((await freeBytes(workDir)) ?? 'unknown'),
  };
  for (const [name, version] of tools) if (version !== undefined) facts[name] = version;
  return Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, fact.slice(0, MAX_FACT)]));
}

/** Whether a command can be ended as one, by a cgroup of its own. */
function cgroupFact(): string {
  const found = findCgroupBase();
  return 'base' in found ? 'yes' : `no: ${found.why}`;
}

export async function freeBytes(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    // A fact that cannot be had is left out; what needs the folder fails by itself and says so.
    return undefined;
  }
}

function toolVersion(tool: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: PROBE_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT } as const;
    // A tool that is not there, or is broken, is no fact of this machine.
    execFile(tool, args, options, (error, stdout) => resolve(error ? undefined : firstLine(stdout)));
  });
}

function firstLine(text: string): string | undefined {
  const line = text
    .split('\n')[0]
    ?.replace(/[^\x20-\x7e]/g, '')
    .trim();
  return line === '' ? undefined : line;
}
