import { plain, plainLines } from '../../base/plain.ts';
import type { TestsView, TestView } from '../../master/views/tests.ts';
import { countsText } from '../../model/test-result.ts';
import { table } from './table.ts';
import { howLong } from './time.ts';

/** The tests of a build for people, and how to see the rest of them. */
export function testsPage(view: TestsView): string {
  const { counts, leftOut, tests, more } = view;
  const head = [`build ${view.build}  ${view.project}/${view.builder}#${view.number}: ${countsText(counts)}`];
  if (leftOut > 0) head.push(`${leftOut} of them are not kept`);
  const rows = tests.map((test) => [
    test.state,
    [...(test.isNew ? ['new'] : []), ...(test.isFlaky ? ['flaky'] : [])].join(' '),
    nameOf(test),
    test.durationMs === null ? '' : howLong(test.durationMs),
    test.message ?? '',
  ]);
  const last = tests.at(-1);
  return [
    ...head.map((line) => `${plain(line)}\n`),
    rows.length === 0 ? '' : table(['STATE', '', 'TEST', 'TOOK', 'MESSAGE'], rows),
    more === 0 || !last ? '' : `${more} more: --after ${last.id}\n`,
  ].join('');
}

/** The same with what each one says at length, below it. */
export function testsAtLength(view: TestsView): string {
  const texts = view.tests.flatMap((test) =>
    test.detail === null ? [] : [`\n${plain(nameOf(test))}\n${indented(plainLines(test.detail))}\n`],
  );
  return testsPage(view) + texts.join('');
}

function nameOf({ suite, name }: TestView): string {
  return suite === '' ? name : `${suite} / ${name}`;
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`.trimEnd())
    .join('\n');
}
