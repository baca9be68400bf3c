import { describe, expect, it } from 'vitest';
import { isName } from '../../../src/model/names.ts';
import { mayActAs } from '../../../src/model/principal.ts';

describe('a name', () => {
  it.each(['a', 'debian-sid', 'Fedora_42.x', '0', 'x'.repeat(64)])('may be %s', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each(['', '.', '..', '.hidden', '-rf', 'a/b', 'a b', 'ä', 'a\n', 'a\0', 'x'.repeat(65)])(
    'may not be %j: it becomes a folder and an SSH user',
    (name) => {
      expect(isName(name)).toBe(false);
    },
  );
});

describe('a role', () => {
  it('includes those below it, and a worker’s none', () => {
    expect(mayActAs('operator', 'developer')).toBe(true);
    expect(mayActAs('developer', 'developer')).toBe(true);
    expect(mayActAs('reader', 'developer')).toBe(false);
    expect(mayActAs('worker', 'reader')).toBe(false);
  });
});
