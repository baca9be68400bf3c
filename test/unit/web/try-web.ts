import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { openWeb } from '../../../src/web/open-web.ts';
import type { WebLimits } from '../../../src/web/open-web.ts';
import { TryFarm } from '../master/try-farm.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const BODY = `workers: [worker('w')], projects: [project('p', { builders: [builder('b', { workers: ['w'], steps: [sh('s', 'true')] })], schedulers: [force()] })]`;

/** A real master with its web, whose connections come through a port of this test as they else come as forwards. */
export class TryWeb {
  readonly farm: TryFarm;
  /** What the master logged. */
  readonly logged: string[] = [];
  #server: Server | undefined;

  private constructor(farm: TryFarm) {
    this.farm = farm;
  }

  static async open(limits?: WebLimits): Promise<TryWeb> {
    const web = new TryWeb(await TryFarm.create(BODY));
    await web.start(limits);
    return web;
  }

  async start(limits?: WebLimits): Promise<void> {
    const log = (message: string, fields?: Record<string, unknown>): void => {
      this.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    await this.farm.startMaster({
      logger: { debug: log, info: log, warn: log, error: log },
      openWeb: async (parts) => {
        const door = await openWeb(parts, limits);
        this.#server = createServer({ allowHalfOpen: true }, (socket) => door.accept(socket)).listen(0, '127.0.0.1');
        await once(this.#server, 'listening');
        return door;
      },
    });
  }

  async stop(): Promise<void> {
    this.#server?.close();
    await this.farm.stopMaster();
  }

  get port(): number {
    const address = this.#server?.address() as AddressInfo | undefined;
    return address?.port ?? 0;
  }

  async ask(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
    const asked = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [Parameters<typeof text>[0] & Omit<Answer, 'body'>];
    const { statusCode, headers: got } = answer as unknown as { statusCode: number; headers: IncomingHttpHeaders };
    return { status: statusCode, headers: got, body: await text(answer) };
  }

  /** Bytes as they are, to the end of what comes back. */
  async send(bytes: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    let said = '';
    socket.setEncoding('utf8').on('data', (piece: string) => (said += piece));
    await once(socket, 'close');
    return said;
  }

  /** Signs a person in; the cookie to send. */
  async signIn(name: string, role: 'reader' | 'developer' | 'operator'): Promise<string> {
    const { url } = await this.farm.operator.login({ name, role });
    const { headers } = await this.ask(new URL(url).pathname, { method: 'POST' });
    return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  }

  /** Gives a person these keys, or new ones; resolves to them. */
  async keys(folder: string, name: string, ...lines: readonly string[]): Promise<readonly string[]> {
    const keys = lines.length > 0 ? lines : [makeKeyPair(name).publicKeyLine];
    await writeFile(join(this.farm.masterDir, 'keys', folder, `${name}.pub`), keys.map((key) => `${key}\n`).join(''));
    return keys;
  }

  async removeKeys(folder: string, name: string): Promise<void> {
    await rm(join(this.farm.masterDir, 'keys', folder, `${name}.pub`));
  }

  async close(): Promise<void> {
    await this.stop();
    await this.farm.close();
  }
}
