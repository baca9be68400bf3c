const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  TB: 1_000_000_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};
const WHOLE = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;

/** What a size must be, for messages to people. */
export const SIZE_RULE = "write a size like '512KB', '100MB', '1GB' or '64MiB'";

/** Bytes of a text like `100MB` (a million bytes each) or `64MiB` (1024 × 1024 each); throws a RangeError that says how to write it. */
export function parseSize(text: string): number {
  const found = typeof text === 'string' ? WHOLE.exec(text) : null;
  if (!found) throw new RangeError(`${JSON.stringify(text)} is no size: ${SIZE_RULE}`);
  const bytes = Math.round(Number(found[1]) * (UNITS[found[2] ?? ''] ?? 0));
  if (!Number.isSafeInteger(bytes)) throw new RangeError(`${JSON.stringify(text)} is out of range: ${SIZE_RULE}`);
  return bytes;
}

/** About so many bytes, for people who look at them: `78.0 GiB`, `512 bytes`. */
export function aboutSize(bytes: number): string {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find((name) => bytes >= (UNITS[name] ?? 1));
  return unit === undefined ? `${bytes} bytes` : `${(bytes / (UNITS[unit] ?? 1)).toFixed(1)} ${unit}`;
}

/** The same number of bytes as people write it, if a unit fits: `100 MB`, `16 MiB`, `1234 bytes`. */
export function showSize(bytes: number): string {
  const fits = (unit: string): boolean => bytes >= (UNITS[unit] ?? 1) && bytes % (UNITS[unit] ?? 1) === 0;
  const unit = ['TiB', 'GiB', 'MiB', 'TB', 'GB', 'MB', 'KiB', 'KB'].find(fits);
  return unit === undefined ? `${bytes} bytes` : `${bytes / (UNITS[unit] ?? 1)} ${unit}`;
}
