import type { Client } from 'ssh2';

export interface Ran {
  readonly status: number;
  readonly out: Buffer;
  readonly errors: Buffer;
}

/** Runs a command over a connection; rejects when the channel is refused. */
export function exec(client: Client, command: string | Buffer, stdin = ''): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command as string, (error, channel) => {
      if (error) return reject(error);
      const out: Buffer[] = [];
      const errors: Buffer[] = [];
      let status = -1;
      channel.on('data', (bytes: Buffer) => out.push(bytes));
      channel.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
      channel.on('exit', (code: number) => (status = code));
      channel.on('close', () => resolve({ status, out: Buffer.concat(out), errors: Buffer.concat(errors) }));
      channel.end(stdin);
    });
  });
}
