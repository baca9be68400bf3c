import { chmod, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { socketPath } from '../base/socket-path.ts';
import { masterPaths } from './master-dir.ts';

/** What the master's own console may ask, and what it is answered. */
export interface ControlAnswers {
  readonly status: { readonly isReady: boolean; readonly processId: number };
  readonly reload: { readonly hash: string; readonly differences: readonly string[] };
  /** Comes when the master has let go of its folder. */
  readonly stop: { readonly stopped: true };
}
export type ControlVerb = keyof ControlAnswers;
const VERBS: readonly ControlVerb[] = ['status', 'reload', 'stop'];

/** A reload compiles and checks a configuration; a stop says goodbye to all workers. */
const ANSWER_TIMEOUT_MS = 120_000;
const MAX_REQUEST = 4 * 1024;
const MAX_ANSWER = 16 * 1024 * 1024;
const MAX_CLIENTS = 64;

/** Asks the master that runs in `dir`. Throws a UserMistake when none runs there, or with its own words when it refuses. */
export async function askMaster<V extends ControlVerb>(dir: string, verb: V): Promise<ControlAnswers[V]> {
  const path = resolve(dir);
  const reply = await callControl(masterPaths(path).controlSocket, { verb }, ANSWER_TIMEOUT_MS);
  if (reply.kind === 'nobody') {
    throw new UserMistake(`no master runs in ${path}: start it with "trunkline master start ${path}"`);
  }
  if (reply.kind === 'silent') throw new UserMistake(`the master in ${path} did not answer: look at its log`);
  const answer = JSON.parse(reply.line) as ControlAnswers[V] & { readonly error?: unknown };
  if (typeof answer.error === 'string') throw new UserMistake(answer.error);
  return answer;
}

type ControlReply =
  | { readonly kind: 'answer'; readonly line: string }
  /** Nobody listens. */
  | { readonly kind: 'nobody' }
  /** Somebody listens and says nothing in time, or hangs up. */
  | { readonly kind: 'silent' };

/** One question over a control socket: a JSON line each way. */
export async function callControl(wanted: string, question: object, timeoutMs: number): Promise<ControlReply> {
  const path = await socketPath(wanted);
  return await new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ path });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(`${JSON.stringify(question)}\n`));
    socket.on('data', (piece: string) => {
      text += piece;
      if (text.length > MAX_ANSWER) socket.destroy();
    });
    socket.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve({ kind: 'nobody' });
      // A hang-up is judged by what came before it.
      else if (code !== 'EPIPE' && code !== 'ECONNRESET') reject(error);
    });
    socket.once('close', () => {
      const end = text.indexOf('\n');
      resolve(end >= 0 ? { kind: 'answer', line: text.slice(0, end) } : { kind: 'silent' });
    });
  });
}

export interface ControlOptions {
  /** The path it should have; a short one stands in for it when it is too long for a socket. */
  readonly path: string;
  readonly logger: Logger;
  readonly status: () => ControlAnswers['status'];
  readonly reload: () => Promise<ControlAnswers['reload']>;
  readonly stop: () => void;
}

export interface ControlServer {
  /** Stops listening; those who asked to stop hear now that it is done. */
  close(): Promise<void>;
}

/** Listens for the verbs of `askMaster`. Whoever may open the folder may ask: there is no other check. */
export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const path = await socketPath(options.path);
  const clients = new Set<Socket>();
  const stopping = new Set<Socket>();

  const obey = async (socket: Socket, verb: ControlVerb | undefined): Promise<void> => {
    switch (verb) {
      case 'status':
        return answer(socket, options.status());
      case 'reload':
        return answer(socket, await options.reload());
      case 'stop':
        stopping.add(socket);
        return options.stop();
      case undefined:
        return answer(socket, { error: `the master's console understands ${VERBS.join(', ')}` });
    }
  };
  const server = createServer((socket) => {
    clients.add(socket);
    let text: string | undefined = '';
    socket.setEncoding('utf8');
    // A client that went away needs no answer.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clients.delete(socket);
      stopping.delete(socket);
    });
    socket.on('data', (piece: string) => {
      if (text === undefined) return;
      text += piece;
      if (text.length > MAX_REQUEST) {
        socket.destroy();
        return;
      }
      const end = text.indexOf('\n');
      if (end < 0) return;
      const verb = readVerb(text.slice(0, end));
      text = undefined;
      obey(socket, verb).catch((error: unknown) => answer(socket, { error: errorText(error) }));
    });
  });
  server.maxConnections = MAX_CLIENTS;
  // The folder's lock is held: whatever lies there is what a killed master left.
  await rm(path, { force: true });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen({ path }, listening);
  });
  server.on('error', (error) => options.logger.warn('the control socket failed', { path, error: error.message }));
  await chmod(path, 0o600);
  return {
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of clients) {
        if (stopping.has(socket)) answer(socket, { stopped: true });
        else socket.destroy();
      }
      await closed;
    },
  };
}

function answer(socket: Socket, value: object): void {
  socket.end(`${JSON.stringify(value)}\n`, () => socket.destroy());
}

function readVerb(line: string): ControlVerb | undefined {
  try {
    const request = JSON.parse(line) as { readonly verb?: unknown } | null;
    return VERBS.find((verb) => verb === request?.verb);
  } catch {
    return undefined; // No JSON is no verb: the answer says which there are.
  }
}
