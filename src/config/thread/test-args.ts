import { showSize } from '../../base/size.ts';
import type { Json } from '../../model/json.ts';
import { countsText, totalOf } from '../../model/test-result.ts';
import { TEST_FILES, TEST_FILES_BYTES, TEST_FILE_BYTES } from '../../model/test-limits.ts';
import type { FileAnswer, KnownCall, TestsAnswer, TestsArgs } from '../calls.ts';
import type { TestSource, TestsResult } from '../step-context.ts';
import { StepFailure } from './step-error.ts';

const PATTERNS = 100;

type Call = (part: string, call: KnownCall) => Promise<Json>;

/**
 * Checks what `ctx.testResults` was given and brings its files to the master. Each pattern is a call `KEY.p1`, `KEY.p2`, … of its own,
 * and each file a call `KEY.1`, `KEY.2`, …
 */
export async function fetchTests(source: TestSource, allowEmpty: boolean, key: string, call: Call): Promise<TestsArgs> {
  const [format, from] = sourceOf(source);
  if ('log' in from) return { format, from };
  const found = new Set<string>();
  for (const [index, pattern] of from.entries()) {
    const args = { path: pattern, limit: TEST_FILES };
    for (const path of (await call(`p${index + 1}`, { kind: 'glob', args })) as readonly string[]) found.add(path);
  }
  const paths = [...found].toSorted();
  if (paths.length > TEST_FILES) {
    throw new StepFailure(
      `more than ${TEST_FILES} files fit ${from.join(', ')}: fewer and larger ones, or another pattern`,
    );
  }
  if (paths.length === 0 && !allowEmpty) {
    throw new StepFailure(`no file fits ${from.join(', ')}: did the tests run? (allowEmpty: true if they need not)`);
  }
  const files: { readonly path: string; readonly call: string }[] = [];
  let room = TEST_FILES_BYTES;
  for (const [index, path] of paths.entries()) {
    const args = { path, maxBytes: Math.min(room, TEST_FILE_BYTES) };
    const { size = 0 } = (await call(String(index + 1), { kind: 'get', args })) as FileAnswer;
    files.push({ path, call: `${key}.${index + 1}` });
    room -= size;
    if (room <= 0)
      throw new StepFailure(`the files of ${from.join(', ')} have more than ${showSize(TEST_FILES_BYTES)}`);
  }
  return { format, from: { files } };
}

function sourceOf(source: TestSource): [TestsArgs['format'], readonly string[] | { log: string; step?: string }] {
  const format = 'junit' in source ? 'junit' : 'tap';
  const from: unknown = 'junit' in source ? source.junit : source.tap;
  const patterns = typeof from === 'string' ? [from] : from;
  if (Array.isArray(patterns)) {
    if (patterns.length === 0 || patterns.length > PATTERNS)
      throw new TypeError(`give 1 to ${PATTERNS} patterns of files`);
    for (const pattern of patterns as readonly unknown[]) {
      if (typeof pattern !== 'string' || pattern === '') throw new TypeError('a pattern of files is no text, or empty');
    }
    return [format, patterns as readonly string[]];
  }
  const { log, step } = (patterns ?? {}) as { readonly log?: unknown; readonly step?: unknown };
  if (format === 'tap' && typeof log === 'string' && (step === undefined || typeof step === 'string')) {
    return [format, { log, ...(step !== undefined && { step }) }];
  }
  throw new TypeError('ctx.testResults takes { junit: FILES }, { tap: FILES } or { tap: { log, step } }');
}

export function testsResult({ counts, newlyFailed, leftOut, problems }: TestsAnswer): TestsResult {
  const first = problems[0];
  return {
    ...counts,
    ok: counts.failed + counts.errors === 0 && first === undefined,
    newlyFailed,
    problems,
    summary: [
      `${countsText(counts)}${newlyFailed > 0 ? ` (${newlyFailed} new)` : ''}`,
      ...(leftOut > 0 ? [`only the first ${totalOf(counts) - leftOut} results are kept`] : []),
      ...(first === undefined ? [] : [first]),
      ...(problems.length > 1 ? [`and ${problems.length - 1} more files`] : []),
    ].join('; '),
  };
}
