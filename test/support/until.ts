/** Asks again and again until the answer is truthy; fails with the last answer after a bound that only a hang reaches. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  boundMs = 60_000,
): Promise<Exclude<T, undefined | null | false | 0 | ''>> {
  const end = performance.now() + boundMs;
  for (let waitMs = 5; ; waitMs = Math.min(100, waitMs * 2)) {
    const answer = await ask();
    if (answer) return answer as Exclude<T, undefined | null | false | 0 | ''>;
    if (performance.now() > end) throw new Error(`waited ${boundMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
