import { showSize } from '../../base/size.ts';
import { encode } from '../../protocol/codec.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { CommandSpec } from '../../protocol/messages.ts';
import { SchemaError } from '../../protocol/schema.ts';

/** The longest that a session's name, and numbers, may be. */
const SESSION = 's'.repeat(200);
const NUMBER = Number.MAX_SAFE_INTEGER;
const LEASE_BYTES = 64;

/**
 * Throws when a worker cannot be told all of a command at once: each part of it keeps to its limit, and together they are too much. Nobody
 * could send it, now or later.
 */
export function checkOrderSize(command: string, spec: CommandSpec, masks: readonly Uint8Array[]): void {
  const fields = { command, fence: NUMBER, spec, masks, logMaxBytes: NUMBER };
  try {
    const bytes = encode('command.start', SESSION, fields).byteLength + LEASE_BYTES;
    if (bytes <= LIMITS.controlFrameBytes) return;
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
  }
  throw new Error(
    `the command with its environment, its input and the build's secrets takes more than ${showSize(LIMITS.controlFrameBytes)}; put what is long into a file: ctx.download({ text }, FILE)`,
  );
}
