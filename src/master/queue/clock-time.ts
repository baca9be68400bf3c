/** A moment for people, in UTC: the time alone when it was within the last day, with its date otherwise. */
export function clockTime(atMs: number, nowMs: number): string {
  const text = new Date(atMs).toISOString();
  const time = `${text.slice(11, 16)} UTC`;
  return Math.abs(nowMs - atMs) < 86_400_000 ? time : `${text.slice(0, 10)} ${time}`;
}

/** The same with seconds, of a moment within the next hours. */
export function clockSeconds(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}
