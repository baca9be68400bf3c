import { array, assert, integer, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readParameters } from '../../../../src/config/parameters/read-parameters.ts';
import { parameterShapes, parametersSchema } from '../../../../src/config/parameters/schema.ts';
import { bool, choice, fixed, int, text } from '../../../../src/config/parameters/values.ts';
import type { ParameterConfig } from '../../../../src/config/parameters/values.ts';
import type { JsonObject } from '../../../../src/model/json.ts';

function read(parameters: Readonly<Record<string, ParameterConfig>>, given: JsonObject): unknown {
  const result = readParameters(parameterShapes(parametersSchema.parse(parameters)), given);
  return 'properties' in result ? result.properties : result.mistakes;
}

function mistakes(parameters: unknown): readonly string[] {
  const parsed = parametersSchema.safeParse(parameters);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const FORM = {
  target: choice(['debug', 'release'], { required: true }),
  parts: choice(['core', 'docs', 'tests'], { multiple: true, default: ['core'] }),
  jobs: int({ min: 1, max: 64, default: 4 }),
  note: text({ maxLength: 10, pattern: /[a-z ]*/ }),
  clean: bool(),
  channel: fixed('nightly'),
};

describe('the parameters of a forced build', () => {
  it('makes values of their types out of texts, and defaults out of nothing', () => {
    expect(read(FORM, { target: 'release' })).toEqual({
      target: 'release',
      parts: ['core'],
      jobs: 4,
      clean: false,
      channel: 'nightly',
    });
    expect(
      read(FORM, { target: 'debug', parts: 'docs,tests,docs', jobs: '+8', note: 'hello you', clean: 'true' }),
    ).toEqual({
      target: 'debug',
      parts: ['docs', 'tests'],
      jobs: 8,
      note: 'hello you',
      clean: true,
      channel: 'nightly',
    });
    expect(read(FORM, { target: 'debug', parts: ['docs'], jobs: 8, clean: true })).toMatchObject({
      parts: ['docs'],
      jobs: 8,
    });
  });

  it('tells all that is wrong, each with what is allowed', () => {
    expect(read(FORM, { tarqet: 'x', jobs: '65', note: 'NO', clean: 'yes', channel: 'x', parts: 'core,gui' })).toEqual([
      'there is no parameter "tarqet": there is target, parts, jobs, note, clean, channel',
      'target is missing: give one of debug, release',
      'parts is "core,gui": give some of, with commas between, core, docs, tests',
      'jobs is "65": give a whole number from 1 to 64',
      'note is "NO": give a text of at most 10 characters that fits /[a-z ]*/',
      'clean is "yes": give true or false',
      'channel is always "nightly": leave it out',
    ]);
    expect(read(FORM, { target: 'Debug', jobs: '1e1', note: 'longer than ten' })).toHaveLength(3);
    expect(read({ n: int() }, { n: 1.5 })).toEqual(['n is 1.5: give a whole number']);
    expect(read({ n: int({ min: 2 }), m: int({ max: 2 }) }, { n: 1, m: 3 })).toEqual([
      'n is 1: give a whole number of 2 or more',
      'm is 3: give a whole number of 2 or less',
    ]);
  });

  it('takes no name of what every object has for a value', () => {
    expect(read({ target: choice(['x']) }, JSON.parse('{"__proto__": "x", "constructor": "x"}') as JsonObject)).toEqual(
      ['there is no parameter "__proto__": there is target', 'there is no parameter "constructor": there is target'],
    );
    expect(read({ toString: text() }, {})).toEqual({});
  });

  it('gives up on a pattern that goes over a text for ever', () => {
    expect(read({ note: text({ pattern: '(a+)+' }) }, { note: `${'a'.repeat(60)}!` })).toEqual([
      expect.stringContaining('takes too long'),
    ]);
  });

  it('never lets a value pass that is not in its range', () => {
    assert(
      property(integer(), string(), array(string()), (number, word, words) => {
        const values = read(FORM, { target: word, jobs: number, parts: words.join(',') });
        const isGood =
          ['debug', 'release'].includes(word) &&
          number >= 1 &&
          number <= 64 &&
          words
            .join(',')
            .split(',')
            .every((one) => ['', 'core', 'docs', 'tests'].includes(one));
        expect(Array.isArray(values)).toBe(!isGood);
      }),
    );
  });
});

describe('parameters in a configuration', () => {
  it('refuses a default out of its own range, and what makes no sense', () => {
    for (const [given, told] of [
      [
        { 'no name': text() },
        'no name: a parameter is named as a property: letters, digits, "_", "." and "-", at most 100, the first a letter or "_"',
      ],
      [{ a: choice([]) }, 'a.choices: give at least one choice'],
      [{ b: choice(['x'], { default: 'y' }) }, 'b: the default is "y": give one of x'],
      [{ c: int({ min: 3, max: 2 }) }, 'c: min (3) is more than max (2)'],
      [{ d: int({ max: 5, default: 6 }) }, 'd: the default is 6: give a whole number of 5 or less'],
      [{ e: text({ pattern: '(' }) }, 'e.pattern: "(" is no regular expression'],
      [
        { f: text({ required: true, default: 'x' }) },
        'f: one that is required has no default: leave one of the two out',
      ],
      [{ g: 7 }, 'g: this is no parameter: use choice(), int(), text(), bool() or fixed()'],
    ] as const) {
      expect(mistakes(given)).toContain(told);
    }
  });
});
