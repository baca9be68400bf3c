import { uptime } from 'node:os';
import { bootId } from './keeper/process-table.ts';

/** Names this boot of the machine: two daemons that tell the same install and boot are on the same machine. */
export function readBootId(): string {
  const id = bootId();
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(id)) return id;
  // Not Linux: the time of the boot, to ten seconds, tells boots apart as well.
  return `boot-${Math.round((Date.now() - uptime() * 1_000) / 10_000)}`;
}
