import { afterEach, beforeEach, expect, test } from 'vitest';
import { plain } from '../../../../src/base/plain.ts';
import { until } from '../../../support/until.ts';
import { ReportersBench } from './reporters-bench.ts';

const OWNER = 'mailto:ann@example.org';

let bench: ReportersBench;
beforeEach(async () => {
  bench = await ReportersBench.make();
  bench.reporters = [bench.mail];
});
afterEach(() => bench.remove());

/** Names and values of the head, folded lines joined. */
function headOf(raw: string): readonly (readonly [string, string])[] {
  const [head = ''] = raw.split('\r\n\r\n');
  return head
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]);
}

test('the owner is told once when a trouble begins and once when it ends, and nobody else is', async () => {
  const trouble = await bench.begin({ owner: OWNER });
  const begin = await bench.message('mail', { state: 'sent' });
  bench.sender.look();
  await bench.restart();
  await bench.end(trouble);
  await until('both are sent', async () => (await bench.store.outbox.list(9)).every(({ state }) => state === 'sent'));
  expect(bench.smtp.mails.map(({ to }) => to)).toEqual([['ann@example.org'], ['ann@example.org']]);
  const [first, second] = bench.smtp.mails.map(({ raw }) => Object.fromEntries(headOf(raw)));
  expect(first).toMatchObject({
    from: 'ci@example.org',
    to: 'ann@example.org',
    subject: 'The farm: sid is missing',
    'message-id': `<${begin.key}@example.org>`,
    'trunkline-id': begin.key,
    'auto-submitted': 'auto-generated',
  });
  expect(first?.['content-type']).toMatch(/^text\/plain/);
  expect(second?.['subject']).toBe('The farm: sid is no longer missing');
  expect(second?.['message-id']).not.toBe(first?.['message-id']);
  expect(bench.smtp.mails[0]?.raw).toContain('away for more than 1h');
  expect(bench.smtp.mails[1]?.raw).toContain('it is back');
});

test('addresses of the configuration are told besides the owner, each once; an owner who has none is not', async () => {
  bench.reporters = [{ ...bench.mail, to: ['ops@example.org', 'ann@example.org'] }];
  await bench.begin({ owner: `${OWNER},bob@example.org?subject=x` });
  await bench.begin({ worker: 'other', owner: 'https://example.org/people/ann' });
  await until('all are sent', () => bench.smtp.mails.length === 5);
  expect(bench.smtp.mails.map(({ to }) => to[0])).toEqual([
    'ann@example.org',
    'bob@example.org',
    'ops@example.org',
    'ops@example.org',
    'ann@example.org',
  ]);
});

test('hostile names, titles, reasons and owners add no line to the head, no receiver and no command', async () => {
  const evil = 'x\r\nBcc: eve@example.org\r\n\r\n.\r\nRCPT TO:<eve@example.org>\r\n\u2028';
  bench.title = evil;
  await bench.begin({
    worker: evil,
    text: `${evil}\n.\r\nQUIT`,
    owner: `${OWNER},"eve"@example.org,eve@example.org\r\nBcc: eve@example.org,<eve@example.org>,a b@example.org`,
  });
  const { subject, body } = await bench.message('mail', { state: 'sent' });
  // As they are stored, before the mail's own encoding: for webhooks and terminals, too.
  expect(subject).toBe(plain(subject));
  expect(body.text.split('\n').map(plain).join('\n')).toBe(body.text);
  expect(body.text.split('\n')).toHaveLength(3);
  expect(bench.smtp.mails).toHaveLength(1);
  const [mail] = bench.smtp.mails;
  expect(mail?.to).toEqual(['ann@example.org']);
  expect(bench.smtp.commands.map((line) => line.split(/[ :]/)[0])).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA']);
  const names = headOf(mail?.raw ?? '').map(([name]) => name);
  expect([...names].sort()).toEqual([
    'auto-submitted',
    'content-transfer-encoding',
    'content-type',
    'date',
    'from',
    'message-id',
    'mime-version',
    'subject',
    'to',
    'trunkline-id',
  ]);
});

test('a refusal for now is tried again later with the same id, one for good is not', async () => {
  bench.smtp.answers.set('RCPT', '451 come back later');
  await bench.begin({ owner: OWNER });
  const { id, key, lastError, nextTryMs } = await bench.message('mail', { attempts: 1 });
  expect(lastError).toMatch(/451 come back later/);
  expect(nextTryMs - bench.temp.clock.now()).toBeGreaterThanOrEqual(5_000);
  expect(nextTryMs - bench.temp.clock.now()).toBeLessThanOrEqual(10_000);
  bench.smtp.answers.delete('RCPT');
  await bench.restart();
  bench.temp.clock.advance(10_000);
  bench.sender.look();
  await bench.message('mail', { state: 'sent', attempts: 2 });
  expect(bench.smtp.mails[0]?.raw).toContain(key);
  bench.smtp.answers.set('RCPT', '550 nobody of that name');
  await bench.begin({ worker: 'other', owner: OWNER });
  const second = await bench.message('mail', { state: 'given-up', attempts: 1 });
  expect(second.id).toBeGreaterThan(id);
  expect(second.lastError).toMatch(/550 nobody of that name/);
});

test.each(['EHLO', 'DATA', '.'])(
  'a server that says nothing after %s is left after 30 s, and tried again',
  async (word) => {
    bench.smtp.answers.set(word, 'hang');
    await bench.begin({ owner: OWNER });
    await until('it hangs', () => bench.smtp.commands.some((line) => line.startsWith(word === '.' ? 'DATA' : word)));
    await until('it waits', () => bench.temp.clock.pending > 0);
    bench.temp.clock.advance(30_000);
    await bench.message('mail', { state: 'waiting', attempts: 1, lastError: 'not done within 30s' });
    await until('the connection is closed', () => bench.smtp.connections === 0);
  },
);

test('a master that stops does not wait for a server that hangs, and the message waits as it was', async () => {
  bench.smtp.answers.set('EHLO', 'hang');
  await bench.begin({ owner: OWNER });
  await until('it hangs', () => bench.smtp.commands.length > 0);
  await bench.sender.close();
  expect(await bench.message('mail', { state: 'waiting' })).toMatchObject({ attempts: 0 });
});

test('a password is not given over a line that is not encrypted, and is in no error', async () => {
  const passwordFile = await bench.secret('password', 'hunter-2\n');
  const login = { user: 'ci', passwordFile };
  bench.reporters = [{ ...bench.mail, smtp: { ...bench.mail.smtp, login } }];
  await bench.begin({ owner: OWNER });
  const { lastError } = await bench.message('mail', { attempts: 1, state: 'waiting' });
  expect(lastError).toMatch(/STARTTLS|TLS/);
  expect(lastError).not.toContain('hunter');
  expect(bench.smtp.commands.filter((line) => /AUTH|MAIL/.test(line))).toEqual([]);
});
