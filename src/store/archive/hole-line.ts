import { Buffer } from 'node:buffer';

/** What a reader sees in place of lost bytes. On a line of its own: what was before it may have been cut anywhere. */
export function holeLine(lostBytes: number): Uint8Array {
  return Buffer.from(`\n[trunkline: ${lostBytes} bytes were lost here: the worker no longer held them]\n`);
}
