import { readFileSync } from 'node:fs';

/** The rows of all tables of a page in `docs/` that have this head, cells without their back-ticks. */
export function docTable(page: string, ...head: readonly string[]): string[][] {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const found: string[][] = [];
  let isInside = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      isInside = false;
      continue;
    }
    const cells = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim().replaceAll('`', ''));
    if (isInside && !cells.every((cell) => /^-+$/.test(cell))) found.push(cells);
    isInside ||= cells.join() === head.join();
  }
  return found;
}
