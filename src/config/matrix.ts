/** What one axis of a matrix may have. Its text is a part of names. */
type Cell = string | number | boolean;

type Axes = Readonly<Record<string, readonly Cell[]>>;
type CellOf<A extends Axes> = { readonly [K in keyof A]: A[K][number] };

export interface MatrixOptions<A extends Axes> {
  /** Leaves out what has all of these, or what the function says. */
  readonly exclude?: readonly Partial<CellOf<A>>[] | ((cell: CellOf<A>) => boolean);
}

/** More than that is a mistake rather than a wish. */
const MOST = 1_000;

/**
 * Makes something, builders or steps say, of each combination of what the axes have, the last axis changing fastest. `name` is
 * what the combination has, joined by `-`: a part for a name of its own.
 */
export function matrix<const A extends Axes, T>(
  axes: A,
  make: (cell: CellOf<A>, name: string) => T | readonly T[],
  { exclude = [] }: MatrixOptions<A> = {},
): readonly T[] {
  const names = Object.keys(axes);
  if (names.length === 0) throw new TypeError('a matrix has no axis: matrix({ os: [...], cc: [...] }, …)');
  for (const name of names) if (axes[name]?.length === 0) throw new TypeError(`the axis ${name} of a matrix is empty`);
  const size = names.reduce((product, name) => product * (axes[name]?.length ?? 0), 1);
  if (size > MOST) throw new RangeError(`a matrix has ${size} combinations; at most ${MOST}: split it`);
  const cells = names.reduce<readonly Readonly<Record<string, Cell>>[]>(
    (known, name) => known.flatMap((cell) => (axes[name] ?? []).map((value) => ({ ...cell, [name]: value }))),
    [{}],
  ) as readonly CellOf<A>[];
  const isExcluded =
    typeof exclude === 'function'
      ? exclude
      : (cell: CellOf<A>) => exclude.some((one) => Object.entries(one).every(([name, value]) => cell[name] === value));
  return cells
    .filter((cell) => !isExcluded(cell))
    .flatMap((cell) => make(cell, names.map((name) => String(cell[name])).join('-')));
}
