import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OutboxView } from '../../src/master/views/outbox.ts';
import { Farm } from '../support/farm.ts';
import { SmtpServer } from '../support/smtp-server.ts';
import { until } from '../support/until.ts';

let farm: Farm;
let smtp: SmtpServer;
beforeEach(async () => {
  smtp = await SmtpServer.open();
  farm = await Farm.create();
  await farm.config(`
import { builder, defineMaster, mail, project, sh, worker } from 'trunkline';
export default defineMaster({
  title: 'Told',
  troubles: { missingAfter: '1s' },
  reporters: [mail({ from: 'ci@example.org', smtp: { host: '127.0.0.1', port: ${smtp.port} } })],
  workers: [worker('w', { owner: 'mailto:ann@example.org' })],
  projects: [project('p', { builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })] })],
});
`);
});
afterEach(async () => {
  await farm.close();
  await smtp.close();
});

const subjects = (): readonly (string | undefined)[] =>
  smtp.mails.map(({ raw }) => /^Subject: (.*)$/m.exec(raw)?.[1]?.trim());

async function outbox(): Promise<readonly OutboxView[]> {
  return JSON.parse((await farm.ssh(['outbox', '--json'])).text) as readonly OutboxView[];
}

test('a master killed when a trouble is stored and nothing is sent tells of it after its restart, once', async () => {
  smtp.answers.set('EHLO', 'hang');
  const first = await farm.startMaster();
  await farm.addWorker('w');
  const worker = await farm.startWorker('w');
  await farm.workerIs('w', 'connected');
  await worker.end('SIGKILL');
  await until('the mail is being sent', () => smtp.commands.length > 0);
  const [stored] = await outbox();
  expect(stored).toMatchObject({ state: 'waiting', attempts: 0, to: 'ann@example.org' });
  await first.end('SIGKILL');
  expect(smtp.mails).toEqual([]);
  smtp.answers.clear();

  await farm.startMaster();
  await until('it is noted', async () => (await outbox())[0]?.state === 'sent');
  expect(subjects()).toEqual(['Told: w is missing']);
  expect(smtp.mails[0]?.raw).toContain(stored?.key);

  await farm.startWorker('w');
  await until('the end is told, too', () => smtp.mails.length > 1);
  await until('all is noted', async () => (await outbox()).every(({ state }) => state === 'sent'));
  expect(subjects()).toEqual(['Told: w is missing', 'Told: w is no longer missing']);
});
