import type { Hash } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../base/atomic-file.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { hashOf, openPart, partPath } from './part-file.ts';
import { TransferCut, TransferRefused } from './transfer-line.ts';
import type { TransferLine } from './transfer-line.ts';

/** Half the window: while this is synced the master sends the other half. */
const SYNC_BYTES = LIMITS.transferWindowBytes / 2;

export interface PutFile {
  readonly command: string;
  readonly fence: number;
  /** Absolute. */
  readonly target: string;
  readonly size: number;
  readonly sha256: string;
  readonly mode: number;
}

/**
 * Pulls a file from the master: into a part file beside its place, each piece synced before it is acknowledged, put in its
 * place when it is whole and its hash is right. What a cut line or a killed daemon left in the part file is gone on from.
 */
export async function putFile(put: PutFile, line: TransferLine): Promise<void> {
  await mkdir(dirname(put.target), { recursive: true });
  const path = partPath(put.target, put.command);
  const part = await openPart(path);
  try {
    let from = (await part.stat()).size;
    if (from > put.size) from = 0;
    let digest = await pull(put, part, from, line);
    // What was there before is of doubtful origin, say a power loss: once more from the beginning.
    if (digest !== put.sha256 && from > 0) digest = await pull(put, part, 0, line);
    if (digest !== put.sha256) {
      throw new TransferRefused(`the file has SHA-256 ${digest} and should have ${put.sha256}: it changed on the way`);
    }
    await part.chmod(put.mode);
    await part.sync();
    await rename(path, put.target);
    await syncFolder(dirname(put.target));
  } catch (error) {
    if (!(error instanceof TransferCut)) await rm(path, { force: true });
    throw error;
  } finally {
    await part.close();
  }
}

async function pull(put: PutFile, part: FileHandle, from: number, line: TransferLine): Promise<string> {
  const { command, fence, size } = put;
  await part.truncate(from);
  const hash = await hashOf(part, from);
  if (!hash) throw new TransferRefused(`the part of ${put.target} that was there became shorter meanwhile`);
  let offset = from;
  let synced = from;
  // Asked for even when nothing is missing: the master hears of each put once, an empty file's too.
  line.send('file.pull', { command, fence, offset });
  while (offset < size) {
    await line.changed();
    offset = await writeAll(line, part, offset, size, hash);
    if (offset < size && offset - synced < SYNC_BYTES) continue;
    await part.datasync();
    synced = offset;
    line.send('file.ack', { command, offset });
  }
  return hash.digest('hex');
}

/** Writes what came; returns where the file ends now. */
async function writeAll(line: TransferLine, part: FileHandle, from: number, size: number, hash: Hash): Promise<number> {
  let offset = from;
  for (const message of line.take()) {
    if (message.type === 'file.refused') throw new TransferRefused(message.fields.message);
    // Anything else has no place in a put; what was sent before the last pull begins elsewhere.
    if (message.type !== 'file.data' || message.fields.offset !== offset) continue;
    const { bytes } = message.fields;
    if (offset + bytes.byteLength > size) throw new TransferRefused(`more than the ${size} bytes announced came`);
    await writeFully(part, bytes, offset);
    hash.update(bytes);
    offset += bytes.byteLength;
  }
  return offset;
}

async function writeFully(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, at + done);
    done += bytesWritten;
  }
}
