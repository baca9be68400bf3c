import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Head and body as they came, with CRLF, dots unstuffed. */
  readonly raw: string;
}

/** A small real mail server on loopback (RFC 5321 without extensions). What it answers to a command can be set. */
export class SmtpServer {
  readonly mails: Mail[] = [];
  /** All commands that came. */
  readonly commands: string[] = [];
  /** Instead of the usual answer, by the command's first word; `hang`: none. */
  readonly answers = new Map<string, string>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async open(port = 0): Promise<SmtpServer> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new SmtpServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined); // The client went away: it says itself what it makes of it.
    socket.setEncoding('utf8');
    let pending = '';
    let from = '';
    let to: string[] = [];
    let lines: string[] | undefined;
    socket.write('220 mail.example.org\r\n');
    socket.on('data', (text: string) => {
      const parts = (pending + text).split('\r\n');
      pending = parts.pop() ?? '';
      for (const line of parts) {
        if (lines && line !== '.') {
          lines.push(line.replace(/^\./, ''));
          continue;
        }
        let word = line.split(/[ :]/)[0]?.toUpperCase() ?? '';
        if (lines) {
          word = '.';
          this.mails.push({ from, to, raw: lines.join('\r\n') });
          lines = undefined;
        } else this.commands.push(line);
        const set = this.answers.get(word);
        if (set === 'hang') return;
        if (set !== undefined) socket.write(`${set}\r\n`);
        else if (word === 'STARTTLS' || word === 'AUTH') socket.write('502 not here\r\n');
        else if (word === 'QUIT') socket.end('221 bye\r\n');
        else if (word === 'DATA') {
          lines = [];
          socket.write('354 go on\r\n');
        } else {
          if (word === 'MAIL') [from, to] = [line, []];
          if (word === 'RCPT') to.push(/<(.*)>/.exec(line)?.[1] ?? '');
          socket.write('250 ok\r\n');
        }
      }
    });
  }
}
