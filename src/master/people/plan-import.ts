import { isDeepStrictEqual } from 'node:util';
import type { Principal } from '../../model/principal.ts';
import type { KeyFile, KeyFolders } from './key-folders.ts';

export interface ImportPlan {
  readonly puts: readonly Principal[];
  readonly removes: readonly string[];
  /** A line for each file that is not imported. */
  readonly faults: ReadonlyMap<string, string>;
}

/**
 * What to change in the table of principals so that it says what the folders say. The table is the truth: a name that a command
 * added, or a tombstone, beats a file; a name in two folders stays what it was, or is nobody.
 */
export function planImport(table: readonly Principal[], folders: KeyFolders): ImportPlan {
  const rows = new Map(table.map((row) => [row.name, row]));
  const faults = new Map<string, string>();
  const puts: Principal[] = [];
  const kept = new Set<string>();
  for (const [name, files] of byName(folders.files)) {
    const row = rows.get(name);
    const file = chooseFile(row, files, faults);
    if (!file) continue;
    kept.add(name);
    if (!file.keys) continue;
    if (row?.role === file.role && isDeepStrictEqual(row.keys, file.keys)) continue;
    if (row || file.keys.length > 0) puts.push({ name, role: file.role, keys: file.keys, source: 'folder' });
  }
  const removes = table
    .filter((row) => row.source === 'folder' && row.revokedAtMs === undefined)
    .filter((row) => !kept.has(row.name) && !folders.unlisted.has(row.role))
    .map((row) => row.name);
  return { puts, removes, faults };
}

function chooseFile(
  row: Principal | undefined,
  files: readonly KeyFile[],
  faults: Map<string, string>,
): KeyFile | undefined {
  const [first] = files;
  if (!first) return undefined;
  if (row?.revokedAtMs !== undefined || row?.source === 'command') {
    const why =
      row.revokedAtMs === undefined
        ? `${row.name} was added by a command; revoke it first, or remove the file`
        : `${row.name} was revoked at ${new Date(row.revokedAtMs).toISOString()}; remove the file, or add it again by command`;
    for (const { path } of files) faults.set(path, `${path} is ignored: ${why}`);
    return undefined;
  }
  if (files.length === 1) return first;
  const stays = files.find((file) => file.role === row?.role);
  const all = files.map(({ path }) => path).join(' and ');
  for (const file of files) {
    if (file === stays) continue;
    const who = stays ? `it stays the ${stays.role}` : 'it is let in by none of them';
    faults.set(file.path, `${all} give one name two roles: ${who}; remove or rename one`);
  }
  return stays;
}

function byName(files: readonly KeyFile[]): ReadonlyMap<string, readonly KeyFile[]> {
  const names = new Map<string, KeyFile[]>();
  for (const file of files) {
    const same = names.get(file.name);
    if (same) same.push(file);
    else names.set(file.name, [file]);
  }
  return names;
}
