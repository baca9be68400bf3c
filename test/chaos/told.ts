import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Files of a master's state, or of a worker, in which a secret can be read: as it is, as base64, or in what is packed in them. */
export async function toldIn(folder: string, secret: string): Promise<readonly string[]> {
  const texts = [secret, Buffer.from(secret).toString('base64').replace(/=+$/, '')];
  const told: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    const all = [bytes, ...(entry.name.endsWith('.gz') ? [gunzipSync(bytes)] : [])];
    if (all.some((one) => texts.some((text) => one.includes(text)))) told.push(path);
  }
  return told;
}
