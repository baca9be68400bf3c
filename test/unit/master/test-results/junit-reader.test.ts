import { describe, expect, it } from 'vitest';
import { XmlDecoder } from '../../../../src/master/test-results/decode-text.ts';
import { JunitReader } from '../../../../src/master/test-results/junit-reader.ts';
import type { TestResult } from '../../../../src/model/test-result.ts';

/** All results, read in pieces of so many bytes. */
function read(file: string | Buffer, pieceBytes = 7): TestResult[] {
  const results: TestResult[] = [];
  const reader = new JunitReader((result) => results.push(result));
  const decoder = new XmlDecoder();
  const bytes = Buffer.from(file);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.write(decoder.add(bytes.subarray(at, at + pieceBytes)));
  reader.write(decoder.end());
  reader.end();
  return results;
}

/** With these cases in one suite. */
const suite = (cases: string): string => `<testsuite name="s">${cases}</testsuite>`;

it('reads suites in suites, states, times, messages and texts', () => {
  const results = read(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="all"><testsuite name="lib"><properties><property name="a" value="b"/></properties>
  <testsuite name="parse">
    <testcase classname="parse" name="one" time="0.25"/>
    <testcase classname="p.Other" name="two" time="1,234.5"><failure message="1 &lt; 2" type="E">first
 second</failure><system-out>&amp; more</system-out></testcase>
    <testcase name="three"><error><![CDATA[ gone <at> all
once ]]></error></testcase>
    <testcase name="four" time="soon"><skipped message="no board"/></testcase>
  </testsuite></testsuite>
  <testsuite><testcase name="five" status="notrun"/></testsuite>
  <testcase name="six"><failure message="a"/><error message="b"/></testcase>
</testsuites>`);
  const parse = { suite: 'lib / parse' };
  expect(results).toEqual([
    { ...parse, name: 'one', state: 'passed', durationMs: 250 },
    {
      ...parse,
      name: 'p.Other.two',
      state: 'failed',
      durationMs: 1_234_500,
      message: '1 < 2',
      detail: 'first\n second',
    },
    { ...parse, name: 'three', state: 'error', message: 'gone <at> all', detail: 'gone <at> all\nonce' },
    { ...parse, name: 'four', state: 'skipped', message: 'no board' },
    { suite: '', name: 'five', state: 'skipped' },
    { suite: '', name: 'six', state: 'error', message: 'b' },
  ]);
});

it('is the same in pieces of any size', () => {
  const file = suite('<testcase name="ä&#x20ac;"><failure>&quot;ß&#10;</failure></testcase><testcase name="b"/>');
  const whole = read(file, 10_000);
  expect(whole).toHaveLength(2);
  for (let size = 1; size < 30; size += 1) expect(read(file, size)).toEqual(whole);
});

describe('encodings', () => {
  const named = (encoding: string): string =>
    `<?xml version="1.0" encoding="${encoding}"?>${suite('<testcase name="Größe"/>')}`;
  it.each([
    ['UTF-8', Buffer.from(named('utf-8'))],
    ['UTF-8 with a mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(named('utf-8'))])],
    ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(named('UTF-16'), 'utf16le')])],
    ['UTF-16, big end first', Buffer.from(`\ufeff${named('UTF-16')}`, 'utf16le').swap16()],
    ['Latin 1', Buffer.from(named('ISO-8859-1'), 'latin1')],
  ])('%s', (_, bytes) => {
    expect(read(bytes).map(({ name }) => name)).toEqual(['Größe']);
  });

  it.each([
    ['that nobody knows', Buffer.from(named('ebcdic-7')), /its encoding is "ebcdic-7", which is not known/],
    ['that it does not have', Buffer.from(named('utf-8'), 'latin1'), /it is not the utf-8 that it says it is/],
  ])('one %s is refused', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
  });
});

describe('what is no results of tests is refused, with what is wrong and where', () => {
  it.each([
    ['nothing', '', /it is empty/],
    ['a file that was cut off', suite('<testcase name="a"/>').slice(0, -4), /no well-formed XML at line 1/],
    ['text', 'all went well', /no well-formed XML at line 1, column 1/],
    ['a page', '<html><body/></html>', /its root is <html>/],
    ['tags that cross', '<testsuite><testcase></testsuite></testcase>', /Unexpected close tag|Unmatched closing tag/],
    ['entities of its own', suite('<testcase name="&lol;"/>'), /Invalid character entity/],
    [
      'a billion laughs',
      `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>${suite('<testcase name="&b;"/>')}`,
      /it has a DTD/,
    ],
    [
      'files of the master',
      `<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>${suite('<testcase name="&x;"/>')}`,
      /it has a DTD/,
    ],
    ['a well', '<testsuite>'.repeat(1_000), /nested more than 100 deep/],
    ['an endless name', `<testsuite name="${'x'.repeat(4_300_000)}"/>`, /Max buffer length exceeded/],
  ])('%s', (_, file, message) => {
    expect(() => read(file, 65_536)).toThrow(message);
  });
});

it('keeps the escapes of coloured output, as characters and by number', () => {
  const [result] = read(suite('<testcase name="\u001b[1ma"><failure>&#x1b;[31mred&#27;[0m</failure></testcase>'));
  expect(result).toMatchObject({ name: '\u001b[1ma', detail: '&#x1b;[31mred&#27;[0m' });
});

it('takes no more of a text than is kept', () => {
  const [result] = read(suite(`<testcase name="a"><failure>${'long '.repeat(50_000)}</failure></testcase>`), 65_536);
  expect(result?.detail?.length).toBeLessThan(9_000);
});
