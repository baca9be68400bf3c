import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Asker, Operator } from './operator.ts';

/** The address at which people find the web pages: behind a forward (`ssh -L`) it is a name only, and nothing listens there. */
export interface WebSettings {
  readonly host: string;
  readonly port: number;
  /** A TCP port is opened, too. */
  readonly isListening: boolean;
}

/** Who is let in without a key. */
export interface WebAccess {
  /** Whom a session or a token stands for; undefined when it stands for nobody (any more). */
  askerOf(kind: 'session' | 'token', secret: string): Promise<Asker | undefined>;
  /** Takes the code of a link that `login` made, once; undefined when it is no good (any more). */
  signIn(code: string): Promise<{ readonly session: string; readonly expiresAtMs: number } | undefined>;
  signOut(session: string): Promise<void>;
}

/** What the web is made of. */
export interface WebParts {
  readonly settings: WebSettings;
  readonly operator: Operator;
  readonly access: WebAccess;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The web as the master sees it; the composition root brings it. */
export interface WebDoor {
  /** Serves HTTP on a person's forward. */
  accept(stream: Duplex): void;
  close(): Promise<void>;
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** The names by which a forward, or a browser, may ask for the web address. */
export function webNames({ host }: WebSettings): readonly string[] {
  return [...LOOPBACK, host.toLowerCase()];
}

/** `http://localhost:8080` */
export function webAddress({ host, port }: WebSettings): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Why a person's forward leads nowhere; undefined when it leads to the web address. */
export function refusedForward(
  settings: WebSettings,
  { host, port }: { readonly host: string; readonly port: number },
): string | undefined {
  if (port === settings.port && webNames(settings).includes(host.toLowerCase())) return undefined;
  return `the only way on from here is the web address: ssh -L ${settings.port}:${settings.host}:${settings.port}`;
}
