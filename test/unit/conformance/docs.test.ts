import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CASES } from '../../conformance/cases.ts';
import { MUTATIONS } from '../../conformance/mutations.ts';

const page = readFileSync(new URL('../../../docs/conformance.md', import.meta.url), 'utf8');
const protocol = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

it('docs/conformance.md has a row for each case, in their order, and says how it is asked', () => {
  const rows = Array.from(page.matchAll(/^\| (C\d+) \| (\d+) \| (.*) \| (.+) \|$/gm));
  const told = rows.map(([, id, section, rule]) => ({ id, section: Number(section), rule }));
  expect(told).toEqual(CASES.map(({ id, section, rule }) => ({ id, section, rule })));
});

it('each case is of a section that docs/protocol.md has, and has an id of its own', () => {
  for (const { section } of CASES) expect(protocol).toContain(`\n## ${section}. `);
  expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
});

it('each case has a mutation of the worker in Python that it has to notice', () => {
  expect(MUTATIONS.map(({ id }) => id)).toEqual(CASES.map(({ id }) => id));
});
