import { showSize } from '../../base/size.ts';
import type { Json } from '../../model/json.ts';
import { countsText, totalOf } from '../../model/test-result.ts';
import { TEST_FILES, TEST_FILES_BYTES, TEST_FILE_BYTES } from '../../model/test-limits.ts';
import type { FileAnswer, KnownCall, RunAnswer, TestsAnswer, TestsArgs } from '../calls.ts';
import type { TestSource, TestsResult } from '../step-context.ts';
import { runArgs, runResult } from './run-args.ts';
import type { BuilderDefaults } from './run-args.ts';
import { StepFailure } from './step-error.ts';

/** The log of the command that lists files. */
export const FILES_LOG = 'files';
/** Of all names of files in one call. */
const LISTING_BYTES = 256 * 1024;
const PATTERNS = 100;

/** `sh -c SCRIPT files PATTERN…`: the files that fit, a line each. `**` stands for any folders and is followed by a name. */
const LIST_SCRIPT = `
for pattern; do
  case $pattern in
    *'**/'*)
      root=\${pattern%%'**/'*}
      [ ! -d "\${root:-.}" ] || find "\${root:-.}" -type f -name "\${pattern##*'**/'}" ;;
    *)
      IFS=
      for file in $pattern; do [ ! -f "$file" ] || printf '%s\\n' "$file"; done ;;
  esac
done
`;

type Call = (part: string, call: KnownCall) => Promise<Json>;

/** Checks what `ctx.testResults` was given and brings its files to the master, each by a call of its own: `KEY.files`, `KEY.1`, … */
export async function fetchTests(
  source: TestSource,
  allowEmpty: boolean,
  given: BuilderDefaults & { readonly log: string },
  key: string,
  call: Call,
): Promise<TestsArgs> {
  const [format, from] = sourceOf(source);
  if ('log' in from) return { format, from };
  const run = runArgs(['/bin/sh', '-c', LIST_SCRIPT, 'files', ...from], { capture: LISTING_BYTES }, given);
  const listed = runResult(run, (await call('files', { kind: 'run', args: run })) as RunAnswer);
  if (!listed.ok) throw new StepFailure(`the files of ${from.join(', ')} could not be listed (${listed.summary})`);
  if (Buffer.byteLength(listed.output) >= LISTING_BYTES) throw tooMany(from);
  const paths = [...new Set(listed.output.split('\n').filter((path) => path !== ''))].toSorted();
  if (paths.length > TEST_FILES) throw tooMany(from);
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
      if (/\*\*\/.*\//.test(pattern)) throw new TypeError(`${pattern}: behind "**/" stands one name, without "/"`);
    }
    return [format, patterns as readonly string[]];
  }
  const { log, step } = (patterns ?? {}) as { readonly log?: unknown; readonly step?: unknown };
  if (format === 'tap' && typeof log === 'string' && (step === undefined || typeof step === 'string')) {
    return [format, { log, ...(step !== undefined && { step }) }];
  }
  throw new TypeError('ctx.testResults takes { junit: FILES }, { tap: FILES } or { tap: { log, step } }');
}

function tooMany(from: readonly string[]): StepFailure {
  return new StepFailure(
    `more than ${TEST_FILES} files fit ${from.join(', ')}: fewer and larger ones, or another pattern`,
  );
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
