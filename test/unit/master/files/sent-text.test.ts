import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sweepTexts, textPath } from '../../../../src/master/files/sent-text.ts';
import { temporaryFolder } from '../../config/try-config.ts';

test('what a killed master left of a text goes, also of one that it was writing; files of workers stay', async () => {
  const dir = await temporaryFolder();
  const text = textPath(dir, 'u.1.1');
  const others = ['u.1.3.get', 'u.1.4.part'].map((name) => join(dir, name));
  // As `writeFileAtomic` names what is not whole, and as logs are copied for the reader of test results.
  const left = [text, `${text}.0123456789ab.tmp`, join(dir, 'u.1.2.log')];
  for (const path of [...left, ...others]) await writeFile(path, 'correct horse');
  await sweepTexts(dir);
  expect((await readdir(dir)).toSorted()).toEqual(['u.1.3.get', 'u.1.4.part']);
});
