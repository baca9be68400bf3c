import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { UserMistake, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { CONTROL_VERBS, askControl } from './control-client.ts';
import type { ControlVerb } from './control-client.ts';
import { socketPath } from './control-path.ts';
import { workerPaths } from './worker-dir.ts';

/** A stopping daemon waits at most seconds for its link and its keepers; this is far beyond. */
const ANSWER_TIMEOUT_MS = 60_000;
const MAX_REQUEST = 4 * 1024;
const MAX_CLIENTS = 64;

/** Asks the worker that runs in `dir`; its answer as it gave it. Throws a UserMistake when none runs there. */
export async function askWorker(dir: string, verb: ControlVerb): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(dir);
  const reply = await askControl(workerPaths(path).controlSocket, verb, ANSWER_TIMEOUT_MS);
  if (reply.kind === 'nobody') throw new UserMistake(`no worker runs in ${path}`);
  if (reply.kind === 'silent') throw new UserMistake(`the worker in ${path} did not answer: look at its log`);
  const answer = JSON.parse(reply.line) as Readonly<Record<string, unknown>>;
  if (typeof answer['error'] === 'string') throw new UserMistake(`the worker in ${path}: ${answer['error']}`);
  return answer;
}

export interface ControlServer {
  /** No new questions from now on; the socket's file is gone. */
  stopListening(): void;
  /** Those who asked to stop hear now that it is done. */
  close(): Promise<void>;
}

export interface ControlOptions {
  /** The path it should have; a short one stands in for it when it is too long for a socket. */
  readonly path: string;
  readonly logger: Logger;
  readonly status: () => Readonly<Record<string, unknown>>;
  readonly stop: () => void;
}

/** Listens for the verbs of `askWorker`. Whoever may open the folder may ask: there is no other check. */
export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const path = await socketPath(options.path);
  const clients = new Set<Socket>();
  const stopping = new Set<Socket>();
  const answer = (socket: Socket, value: unknown): void =>
    void socket.end(`${JSON.stringify(value)}\n`, () => socket.destroy());

  const server = createServer((socket) => {
    clients.add(socket);
    let text = '';
    socket.setEncoding('utf8');
    // A client that went away needs no answer.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clients.delete(socket);
      stopping.delete(socket);
    });
    socket.on('data', (piece: string) => {
      if (stopping.has(socket)) return;
      text += piece;
      if (text.length > MAX_REQUEST) return void socket.destroy();
      const end = text.indexOf('\n');
      if (end < 0) return;
      const verb = readVerb(text.slice(0, end));
      text = '';
      if (verb === 'status') return answer(socket, options.status());
      if (verb !== 'stop') return answer(socket, { error: `it understands ${CONTROL_VERBS.join(', ')}` });
      stopping.add(socket);
      options.stop();
    });
  });
  server.maxConnections = MAX_CLIENTS;
  // The folder's lock is held: whatever lies there is what a killed daemon left.
  await rm(path, { force: true });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen({ path }, () => listening());
  });
  server.on('error', (error) => options.logger.warn(`the control socket ${path} failed: ${errorText(error)}`));
  await chmod(path, 0o600);
  const closed = new Promise<void>((done) => server.once('close', () => done()));
  return {
    stopListening: () => void server.close(),
    async close() {
      for (const socket of clients) {
        if (stopping.has(socket)) answer(socket, { stopped: true });
        else socket.destroy();
      }
      await closed;
    },
  };
}

function readVerb(line: string): ControlVerb | undefined {
  try {
    const request = JSON.parse(line) as { readonly verb?: unknown } | null;
    return CONTROL_VERBS.find((verb) => verb === request?.verb);
  } catch {
    // No JSON is no verb: the answer says which there are.
    return undefined;
  }
}
