import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { MailShape, ReporterShape, WebhookShape } from '../../../../src/config/shape.ts';
import { OutboxSender } from '../../../../src/master/reporters/outbox-sender.ts';
import { troubleMessages } from '../../../../src/master/reporters/trouble-messages.ts';
import type { OutboxMessage } from '../../../../src/model/outbox.ts';
import type { Trouble } from '../../../../src/model/trouble.ts';
import type { Store } from '../../../../src/store/store.ts';
import { HookServer } from '../../../support/hook-server.ts';
import { SmtpServer } from '../../../support/smtp-server.ts';
import { TempStore } from '../../../support/temp-store.ts';
import { until } from '../../../support/until.ts';

/** A real store, a real mail server and a real web server, and what sends between them, by a clock turned by hand. */
export class ReportersBench {
  readonly temp: TempStore;
  readonly store: Store;
  readonly smtp: SmtpServer;
  readonly hook: HookServer;
  readonly mail: MailShape;
  readonly webhook: WebhookShape;
  title = 'The farm';
  reporters: readonly ReporterShape[];
  sender: OutboxSender;

  private constructor(temp: TempStore, store: Store, smtp: SmtpServer, hook: HookServer) {
    this.temp = temp;
    this.store = store;
    this.smtp = smtp;
    this.hook = hook;
    this.mail = {
      kind: 'mail',
      name: 'mail',
      from: 'ci@example.org',
      to: [],
      smtp: { host: '127.0.0.1', port: smtp.port, secure: false },
    };
    this.webhook = { kind: 'webhook', name: 'webhook', url: hook.url };
    this.reporters = [this.mail, this.webhook];
    this.sender = this.#openSender();
  }

  static async make(): Promise<ReportersBench> {
    const temp = await TempStore.make();
    return new ReportersBench(temp, await temp.open(), await SmtpServer.open(), await HookServer.open());
  }

  #openSender(): OutboxSender {
    const { temp, store } = this;
    const sender = new OutboxSender({
      store,
      clock: temp.clock,
      logger: silentLogger,
      dir: temp.dir,
      config: () => ({ reporters: this.reporters }),
    });
    sender.open();
    return sender;
  }

  async restart(): Promise<void> {
    await this.sender.close();
    this.sender = this.#openSender();
  }

  async begin(more: Partial<Trouble> = {}): Promise<Trouble> {
    const { clock } = this.temp;
    const trouble = {
      worker: 'sid',
      kind: 'missing',
      sinceMs: clock.now(),
      text: 'away for more than 1h',
      ...more,
    } as const;
    const id = await this.store.troubles.begin(trouble, clock.now(), (id) =>
      troubleMessages(this, { ...trouble, id }, clock.now()),
    );
    if (id === undefined) throw new Error('it has begun already');
    this.sender.look();
    return { ...trouble, id };
  }

  async end(trouble: Trouble): Promise<void> {
    const untilMs = this.temp.clock.now();
    const messages = troubleMessages(this, { ...trouble, untilMs, endText: 'it is back' }, untilMs);
    await this.store.troubles.end(trouble.id, untilMs, 'it is back', messages);
    this.sender.look();
  }

  /** The newest message of a reporter when it is so. */
  async message(reporter: string, wanted: Partial<OutboxMessage>): Promise<OutboxMessage> {
    return await until(`a message of ${reporter} is ${JSON.stringify(wanted)}`, async () => {
      const message = (await this.store.outbox.list(1_000)).find((one) => one.reporter === reporter);
      const isSo = Object.entries(wanted).every(([key, value]) => message?.[key as keyof OutboxMessage] === value);
      return isSo ? message : undefined;
    });
  }

  async secret(file: string, text: string, mode = 0o600): Promise<string> {
    const path = join(this.temp.dir, file);
    await writeFile(path, text);
    await chmod(path, mode);
    return file;
  }

  async remove(): Promise<void> {
    await this.sender.close();
    await this.smtp.close();
    await this.hook.close();
    await this.temp.remove();
  }
}
