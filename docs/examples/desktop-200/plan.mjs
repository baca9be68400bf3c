/**
 * @typedef {'ok' | 'warns' | 'fails' | 'flaky' | 'slow' | 'broken'} Fate what its newest commit does to its builds
 * @typedef {{
 *   readonly name: string, readonly role: string, readonly dependsOn: readonly string[], readonly fate: Fate,
 *   readonly parts: number, readonly tests: number, readonly own: number, readonly value: number,
 * }} Module `own` is a number of its own, `value` that and those of all it depends on
 */

/** A desktop is made in dozens: what each place of a dozen is, what of its own dozen it depends on, and what is wrong with it. */
const PLACES = [
  { role: 'base', needs: [], fate: 'ok' },
  { role: 'base', needs: [0], fate: 'ok' },
  { role: 'lib', needs: [0], fate: 'ok' },
  { role: 'lib', needs: [0, 1], fate: 'ok' },
  { role: 'lib', needs: [1, 2], fate: 'warns' },
  { role: 'service', needs: [2, 3], fate: 'ok' },
  { role: 'service', needs: [4], fate: 'flaky' },
  { role: 'app', needs: [2, 4], fate: 'slow' },
  { role: 'app', needs: [3, 4], fate: 'fails' },
  { role: 'app', needs: [3, 5], fate: 'ok' },
  { role: 'app', needs: [2, 3, 6], fate: 'ok' },
  { role: 'plugin', needs: [5], fate: 'ok' },
];
/** In every eighth dozen a service does not compile, so that there is something that cannot be built for want of it. */
const BROKEN = { place: 5, every: 8 };
const NUMBER = 1_000_003;

/**
 * The first so many modules of the desktop, each behind all that it depends on; the same ones every time.
 *
 * @param {number} count
 * @returns {Module[]}
 */
export function plan(count) {
  /** @type {Module[]} */
  const modules = [];
  for (let index = 0; index < count; index += 1) {
    const dozen = Math.floor(index / PLACES.length);
    const place = index % PLACES.length;
    const { role, needs, fate } = PLACES[place];
    // The first of a dozen stands on that of one half as far: the deepest chain grows with the logarithm of the desktop.
    const below = place === 0 && dozen > 0 ? [Math.floor(dozen / 2) * PLACES.length] : [];
    const depends = [...below, ...needs.map((other) => dozen * PLACES.length + other)].map((other) => modules[other]);
    const own = (index * 7_919 + 17) % NUMBER;
    modules.push({
      name: `${role}-${String(index + 1).padStart(3, '0')}`,
      role,
      dependsOn: depends.map(({ name }) => name),
      fate: place === BROKEN.place && dozen % BROKEN.every === 0 ? 'broken' : fate,
      parts: 2 + (index % 5),
      tests: 2 + (index % 3),
      own,
      value: depends.reduce((sum, { value }) => (sum + value) % NUMBER, own),
    });
  }
  return modules;
}
