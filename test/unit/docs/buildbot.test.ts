import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { docTable } from '../../support/doc-table.ts';

/** `unit/model/result.test.ts "is success without steps"`, any number of them. */
const NAMED = /(\S+\.test\.ts) "([^"]+)"/g;

/** As a text of the code, not of a comment; the title of a test may go on with what it is tried with. */
function beginsTitle(text: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => text.includes(quote + title));
}

test('each row of the page for those who come from Buildbot names tests that exist, or says that it is not there yet', async () => {
  const rows = docTable('buildbot.md', 'Buildbot', 'ours', 'shown by');
  expect(rows.length).toBeGreaterThan(0);
  const wrong: string[] = [];
  for (const [theirs = '', ours = '', shownBy = ''] of rows) {
    const named = Array.from(shownBy.matchAll(NAMED));
    const rest = shownBy.replaceAll(NAMED, '').replaceAll(/[;,\s]/g, '');
    if (named.length === 0 && !ours.toLowerCase().includes('not yet')) wrong.push(`${theirs}: no test is named`);
    if (rest !== '') wrong.push(`${theirs}: ${rest} is no test`);
    for (const [, file = '', title = ''] of named) {
      const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8').catch(() => undefined);
      if (text === undefined) wrong.push(`${theirs}: there is no file ${file}`);
      else if (!beginsTitle(text, title)) wrong.push(`${theirs}: ${file} has no test "${title}"`);
    }
  }
  expect(wrong).toEqual([]);
});
