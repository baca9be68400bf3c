/** One measured figure. `ratio` is ours over the peer's, so that more is better where `unit` is a rate. */
export interface Figure {
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly ratio: number | null;
  readonly unit: string;
}

export function figure(name: string, ours: number, peer: number | null, unit: string): Figure {
  return {
    name,
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    ratio: peer === null ? null : round(ours / peer),
    unit,
  };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** The value below which the share `q` of all lie. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
  if (value === undefined) throw new Error('no values were measured');
  return value;
}
