import { chmod, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { UserMistake, errorCode, errorText } from './errors.ts';
import type { Logger } from './logger.ts';
import { shellWord } from './shell-word.ts';
import { socketPath } from './socket-path.ts';

export type ControlReply =
  /** One JSON line of the daemon. */
  | { readonly kind: 'answer'; readonly line: string }
  /** Nobody listens. */
  | { readonly kind: 'nobody' }
  /** Somebody listens and says nothing in time, or hangs up. */
  | { readonly kind: 'silent' };

/** A reload compiles and checks a configuration; a stop says goodbye to all peers. */
const ANSWER_TIMEOUT_MS = 120_000;
const MAX_REQUEST = 4 * 1024;
const MAX_ANSWER = 16 * 1024 * 1024;
const MAX_CLIENTS = 64;

/** What a question says beside its verb. */
export type ControlDetails = Readonly<Record<string, string | number>>;

/** One question to the daemon behind a control socket, a JSON line each way. */
export async function callControl(
  wanted: string,
  verb: string,
  timeoutMs: number,
  details: ControlDetails = {},
): Promise<ControlReply> {
  const path = await socketPath(wanted);
  return await new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ path });
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(`${JSON.stringify({ ...details, verb })}\n`));
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

/** A daemon of a folder. */
export interface DaemonPlace {
  /** `master`, `worker` */
  readonly noun: string;
  /** The program and its words before a verb, as a person types them: `trunkline worker`. */
  readonly called: string;
  readonly dir: string;
  readonly socket: string;
}

/** Asks `the NOUN in DIR`. Throws a UserMistake when none runs there, or with its own words when it refuses. */
export async function askDaemon(
  { noun, called, dir, socket }: DaemonPlace,
  verb: string,
  details?: ControlDetails,
): Promise<object> {
  const reply = await callControl(socket, verb, ANSWER_TIMEOUT_MS, details);
  if (reply.kind === 'nobody') {
    throw new UserMistake(`no ${noun} runs in ${dir}: start it with "${called} start ${shellWord(dir)}"`);
  }
  if (reply.kind === 'silent') throw new UserMistake(`the ${noun} in ${dir} did not answer: look at its log`);
  const answer = JSON.parse(reply.line) as { readonly error?: unknown };
  if (typeof answer.error === 'string') throw new UserMistake(answer.error);
  return answer;
}

export interface ControlOptions {
  /** The path it should have; a short one stands in for it when it is too long for a socket. */
  readonly path: string;
  readonly logger: Logger;
  /** What is answered to each verb but `stop`. */
  readonly answers: Readonly<Record<string, (details: Readonly<Record<string, unknown>>) => object | Promise<object>>>;
  /** Begins to stop; whoever asked is answered `{stopped: true}` when the control socket is closed, as the last thing. */
  readonly stop: () => void;
}

export interface ControlServer {
  /** No new questions from now on; the socket's file is gone. */
  stopListening(): void;
  /** Those who asked to stop hear now that it is done. */
  close(): Promise<void>;
}

/** Listens for questions. Whoever may open the socket may ask: there is no other check. */
export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const path = await socketPath(options.path);
  const clients = new Set<Socket>();
  const stopping = new Set<Socket>();

  const obey = async (socket: Socket, request: Readonly<Record<string, unknown>>): Promise<void> => {
    const verb = typeof request['verb'] === 'string' ? request['verb'] : undefined;
    if (verb === 'stop') {
      stopping.add(socket);
      options.stop();
      return;
    }
    const ask = verb !== undefined && Object.hasOwn(options.answers, verb) ? options.answers[verb] : undefined;
    const known = [...Object.keys(options.answers), 'stop'].join(', ');
    answer(socket, ask ? await ask(request) : { error: `there is no such question: ${known} are understood` });
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
      const request = readRequest(text.slice(0, end));
      text = undefined;
      obey(socket, request).catch((error: unknown) => answer(socket, { error: errorText(error) }));
    });
  });
  server.maxConnections = MAX_CLIENTS;
  // The folder's lock is held: whatever lies there is what a killed daemon left.
  await rm(path, { force: true });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen({ path }, listening);
  });
  server.on('error', (error) => options.logger.warn('the control socket failed', { path, error: error.message }));
  await chmod(path, 0o600);
  const closed = new Promise<void>((done) => server.once('close', () => done()));
  const stopListening = (): void => {
    if (server.listening) server.close();
  };
  return {
    stopListening,
    async close() {
      stopListening();
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

function readRequest(line: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(line) as Readonly<Record<string, unknown>> | null) ?? {};
  } catch {
    // No JSON is no verb: the answer says which there are.
    return {};
  }
}
