/** The worker did not do what the protocol asks for. */
export class Breach extends Error {
  override readonly name = 'Breach';
}

/** `expected` says what is asked for; `came` is shown as it is. */
export function check(isSo: boolean, expected: string, came: unknown): void {
  if (!isSo) throw new Breach(`came ${shown(came)}, expected ${expected}`);
}

export function equal(came: unknown, expected: unknown, what: string): void {
  check(JSON.stringify(came) === JSON.stringify(expected), `${what} ${shown(expected)}`, came);
}

const MOST_SHOWN = 300;

/** For one line of text. */
export function shown(value: unknown): string {
  const text = Buffer.isBuffer(value) ? JSON.stringify(value.toString()) : JSON.stringify(value, told);
  if (text === undefined) return 'nothing';
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}

function told(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? `${value.byteLength} bytes` : value;
}
