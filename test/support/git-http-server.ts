import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runOk } from './run.ts';

export interface GitHttpServer {
  readonly url: string;
  /** Of each request, in their order: who it said it was. */
  readonly users: readonly (string | undefined)[];
  close(): Promise<void>;
}

/** Git's own http backend behind basic authentication, on loopback. */
export async function startGitHttp(dir: string, user: string, password: string): Promise<GitHttpServer> {
  const folder = await runOk('git', ['--exec-path']);
  const right = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const users: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    users.push(
      Buffer.from(authorization?.split(' ')[1] ?? '', 'base64')
        .toString()
        .split(':')[0] || undefined,
    );
    if (authorization === right) serve(`${folder}/git-http-backend`, dir, request, response);
    else response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    users,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function serve(program: string, dir: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '', 'http://localhost');
  const child = spawn(program, {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: dir,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'someone',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  request.pipe(child.stdin);
  const said: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => said.push(piece));
  child.once('close', () => {
    const all = Buffer.concat(said);
    const end = all.indexOf('\r\n\r\n');
    for (const line of all.subarray(0, end).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ', 2);
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(all.subarray(end + 4));
  });
}
