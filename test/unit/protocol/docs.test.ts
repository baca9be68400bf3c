import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../../src/protocol/codec.ts';
import { LIMITS } from '../../../src/protocol/limits.ts';
import { MESSAGES } from '../../../src/protocol/messages.ts';
import type { Message } from '../../../src/protocol/messages.ts';
import { PROTOCOL_CODES } from '../../../src/protocol/protocol-error.ts';
import type { Checker } from '../../../src/protocol/schema.ts';
import { SUBSYSTEMS } from '../../../src/transport/carrier.ts';
import { docTable } from '../../support/doc-table.ts';

const text = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
const rows = (...head: readonly string[]): string[][] => docTable('protocol.md', ...head);

/** Every field under a checker, by its path, in the words that the page uses. */
function fieldsOf(message: string, path: string, check: Checker<unknown>): string[][] {
  const told = `${check.told}${check.isOptional ? ', optional' : ''}`;
  const nested = Object.entries(check.shape ?? {}).flatMap(([key, field]) =>
    fieldsOf(message, path ? `${path}.${key}` : key, field),
  );
  const items = check.item ? fieldsOf(message, `${path}[]`, check.item) : [];
  const isMapInList = path.endsWith('[]') && check.shape;
  return [...(path && !isMapInList ? [[message, path, told]] : []), ...nested, ...items];
}

describe('docs/protocol.md', () => {
  it('names every message with its sender and lane', () => {
    const told = rows('message', 'from', 'lane', 'meaning').map(
      ([message, from, lane]) => `${message} ${from} ${lane}`,
    );
    const known = Object.entries(MESSAGES).map(([message, { from, lane }]) => `${message} ${from} ${lane}`);
    expect(told).toHaveLength(known.length);
    expect(new Set(told)).toEqual(new Set(known));
  });

  it('names every field with its type and limits', () => {
    const known = Object.entries(MESSAGES).flatMap(([message, { fields }]) => fieldsOf(message, '', fields));
    expect(rows('message', 'field', 'type')).toEqual(known);
  });

  it('names every limit, code and subsystem', () => {
    const limits = rows('name', 'value', 'what').map(([name, value]) => [name, Number(value)]);
    expect(Object.fromEntries(limits)).toEqual(LIMITS);
    expect(Object.fromEntries(rows('code', 'meaning'))).toEqual(PROTOCOL_CODES);
    expect(rows('subsystem', 'how many', 'carries').map(([name]) => name)).toEqual(SUBSYSTEMS);
  });

  it('shows a frame that is one', () => {
    const hex = /```hex\n([^`]+)```/.exec(text)?.[1] ?? '';
    const whole = Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
    expect(whole.readUInt32BE(0)).toBe(whole.byteLength - 4);
    const message = decode(whole.subarray(4), { from: 'worker' }) as Message<'log.append'>;
    expect(message).toMatchObject({ type: 'log.append', fields: { command: 'B7.2.1', offset: 4096, codec: 'raw' } });
    expect(Buffer.from(message.fields.bytes).toString()).toBe('hello\n');
    expect(Buffer.from(encode(message.type, message.session, message.fields))).toEqual(whole);
  });
});
