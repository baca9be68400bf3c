const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long, in its two largest units: `0.8 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function howLong(ms: number): string {
  if (ms < 10 * SECOND) return `${(Math.max(0, ms) / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${Math.floor((ms % MINUTE) / SECOND)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${Math.floor((ms % HOUR) / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** How long is left, by the whole second above: who asks at once for an hour is told of an hour. */
export function howLongLeft(ms: number): string {
  return howLong(Math.ceil(ms / SECOND) * SECOND);
}

/** `2026-11-21 06:13:43` in UTC. */
export function when(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}
