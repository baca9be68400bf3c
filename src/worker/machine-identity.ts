import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';

/** Names this boot of the machine: two daemons that tell the same install and boot are on the same machine. */
export async function readBootId(): Promise<string> {
  try {
    const id = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) return id;
  } catch {
    // Not Linux: the time of the boot, to ten seconds, tells boots apart as well.
  }
  return `boot-${Math.round((Date.now() - uptime() * 1_000) / 10_000)}`;
}
