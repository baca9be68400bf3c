import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

interface Row {
  readonly mayImport: readonly string[];
  readonly packages: readonly string[];
}

interface Restriction {
  readonly patterns: readonly { readonly group: readonly string[] }[];
  readonly paths: readonly { readonly name: string }[];
}

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

/** `base, model` or `all above but worker` in folders. */
function folders(text: string, all: readonly string[], own: string): readonly string[] {
  const [what = '', left] = text.split(' but ');
  if (what === '-') return [];
  const found =
    what === 'all'
      ? all.filter((one) => one !== own)
      : what === 'all above'
        ? all.slice(0, all.indexOf(own))
        : what.split(', ');
  return found.filter((one) => one !== left);
}

async function readTable(): Promise<ReadonlyMap<string, Row>> {
  const rows = Array.from(
    (await read('docs/architecture.md')).matchAll(/^\| `([a-z]+)` \| .* \| ([^|]+) \| ([^|]+) \|$/gm),
  );
  const all = rows.map(([, name = '']) => name);
  return new Map(
    rows.map(([, name = '', imports = '', packages = '']) => [
      name,
      { mayImport: folders(imports, all, name), packages: packages === '-' ? [] : packages.split(', ') },
    ]),
  );
}

async function readFences(): Promise<ReadonlyMap<string, Restriction>> {
  const config = JSON.parse(await read('.oxlintrc.json')) as {
    overrides: { files: string[]; rules: Record<string, [string, Restriction]> }[];
  };
  return new Map(
    config.overrides.flatMap(({ files, rules }): [string, Restriction][] => {
      const folder = /^src\/([a-z]+)\/\*\*/.exec(files[0] ?? '')?.[1];
      const rule = rules['no-restricted-imports'];
      return folder !== undefined && rule ? [[folder, rule[1]]] : [];
    }),
  );
}

test('The table of who may import whom says what the linter enforces', async () => {
  const table = await readTable();
  const fences = await readFences();
  expect(table.size).toBeGreaterThan(10);
  expect([...fences.keys()].toSorted()).toEqual([...table.keys()].toSorted());
  for (const [folder, row] of table) {
    const forbidden = fences.get(folder)?.patterns.flatMap(({ group }) => group) ?? [];
    const allowed = [...table.keys()].filter((other) => other !== folder && !forbidden.includes(`**/${other}/**`));
    expect({ folder, mayImport: allowed.toSorted() }).toEqual({ folder, mayImport: row.mayImport.toSorted() });
  }
});

test('The table says which folder may see which package', async () => {
  const table = await readTable();
  const fences = await readFences();
  const { dependencies } = JSON.parse(await read('package.json')) as { dependencies: Record<string, string> };
  const packages = Object.keys(dependencies);
  for (const [folder, row] of table) {
    const forbidden = new Set(fences.get(folder)?.paths.map(({ name }) => name));
    const seen = packages.filter((name) => !forbidden.has(name)).toSorted();
    expect({ folder, seen }).toEqual({ folder, seen: row.packages.toSorted() });
  }
});
