import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { docTable } from '../../support/doc-table.ts';
import { RawSsh } from '../../support/raw-ssh.ts';
import type { Answer } from '../../support/raw-ssh.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';

const HEAD = ['asked for', "worker's key", "person's key", "invitation's code", 'before the login'];
const WEB = { host: 'localhost', port: 8080 };
const WINDOW = [2 ** 21, 32_768] as const;
const [GLOBAL_REQUEST, CHANNEL_OPEN, CHANNEL_REQUEST] = [80, 90, 98];

type Ask = (raw: RawSsh, id: number) => Promise<Answer>;

/** A request in a session of its own. */
function inSession(name: string, ...fields: readonly (string | number | boolean)[]): Ask {
  return async (raw, id) => {
    const opened = await raw.ask(CHANNEL_OPEN, 'session', id, ...WINDOW);
    if (opened.kind !== 'CHANNEL_OPEN_CONFIRMATION') return opened;
    const { sender } = opened.args[0] as { readonly sender: number };
    return await raw.ask(CHANNEL_REQUEST, sender, name, true, ...fields);
  };
}

function channel(type: string, ...fields: readonly (string | number)[]): Ask {
  return (raw, id) => raw.ask(CHANNEL_OPEN, type, id, ...WINDOW, ...fields);
}

function global(name: string, ...fields: readonly (string | number)[]): Ask {
  return (raw) => raw.ask(GLOBAL_REQUEST, name, true, ...fields);
}

const second: Ask = async (raw, id) => {
  const opened = await raw.ask(CHANNEL_OPEN, 'session', id, ...WINDOW);
  if (opened.kind !== 'CHANNEL_OPEN_CONFIRMATION') return opened;
  const { sender } = opened.args[0] as { readonly sender: number };
  // Whichever of the two the key may start.
  await raw.ask(CHANNEL_REQUEST, sender, 'exec', true, 'stay');
  await raw.ask(CHANNEL_REQUEST, sender, 'subsystem', true, 'trunkline-session');
  const again = await raw.ask(CHANNEL_REQUEST, sender, 'exec', true, 'stay');
  return again.kind === 'CHANNEL_SUCCESS'
    ? again
    : await raw.ask(CHANNEL_REQUEST, sender, 'subsystem', true, 'trunkline-session');
};

/** EVERY row of the table in docs/access.md, as packets. */
const ASKS: Readonly<Record<string, Ask>> = {
  'a session': channel('session'),
  'exec: a verb': inSession('exec', 'status'),
  shell: inSession('shell'),
  'a second program in a session': second,
  'subsystem trunkline-control': inSession('subsystem', 'trunkline-control'),
  'subsystem trunkline-session': inSession('subsystem', 'trunkline-session'),
  'subsystem trunkline-bulk': inSession('subsystem', 'trunkline-bulk'),
  'subsystem trunkline-mux': inSession('subsystem', 'trunkline-mux'),
  'subsystem sftp': inSession('subsystem', 'sftp'),
  'any other subsystem': inSession('subsystem', 'trunkline-control '),
  'pty-req: a terminal': inSession('pty-req', 'xterm', 80, 24, 0, 0, '\0'),
  env: inSession('env', 'LD_PRELOAD', '/tmp/x.so'),
  'auth-agent-req@openssh.com': inSession('auth-agent-req@openssh.com'),
  'x11-req': inSession('x11-req', false, 'MIT-MAGIC-COOKIE-1', '00', 0),
  'any other request in a session': inSession('break', 500),
  "direct-tcpip to the web page's address": channel('direct-tcpip', WEB.host, WEB.port, '127.0.0.1', 1),
  'direct-tcpip elsewhere': channel('direct-tcpip', '127.0.0.1', 22, '127.0.0.1', 1),
  'direct-streamlocal@openssh.com': channel('direct-streamlocal@openssh.com', '/run/docker.sock', '', 0),
  'a channel of type x11': channel('x11', '127.0.0.1', 6_000),
  'a channel of type auth-agent@openssh.com': channel('auth-agent@openssh.com'),
  'a channel of type forwarded-tcpip': channel('forwarded-tcpip', '127.0.0.1', 22, '127.0.0.1', 1),
  'a channel of type tun@openssh.com': channel('tun@openssh.com', 1, 0),
  'any other channel': channel('nonsense@example.org'),
  'tcpip-forward': global('tcpip-forward', '0.0.0.0', 0),
  'streamlocal-forward@openssh.com': global('streamlocal-forward@openssh.com', '/tmp/x.sock'),
  'any other global request': global('hostkeys-prove-00@openssh.com', 'x'),
};

const GRANTED = ['CHANNEL_OPEN_CONFIRMATION', 'CHANNEL_SUCCESS', 'REQUEST_SUCCESS'];

let stand: SshStand;
const raws: RawSsh[] = [];
let ids = 100;

beforeAll(async () => {
  stand = await sshStand({
    limits: { loginGraceMs: 3_600_000, channelsOfPerson: 1_000, channelsOfInvited: 1_000 },
    onPerson: (call) => (call.command === 'stay' ? undefined : call.exit(0)),
    onInvited: (call) => (call.command === 'stay' ? undefined : call.exit(0)),
    onForward: ({ host, port }) =>
      host === WEB.host && port === WEB.port ? { take: (stream) => stream.resume() } : { refused: 'not there' },
    admitInvited: () => ({ name: 'new', codeHash: 'x' }),
  });
  raws.push(
    new RawSsh(await stand.client({ username: 'w1', privateKey: stand.workerKey.privateKey })),
    new RawSsh(await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey })),
    new RawSsh(await stand.client({ username: 'join+code', authHandler: ['none'] })),
    await stranger(),
  );
});
afterAll(() => stand.close());

/** Has exchanged keys, and does not log in. */
function stranger(): Promise<RawSsh> {
  const client = new ssh2.Client();
  client.on('error', () => {});
  return new Promise((resolve) => {
    client.connect({
      host: '127.0.0.1',
      port: stand.server.port,
      username: 'eve',
      readyTimeout: 0,
      authHandler: () => resolve(new RawSsh(client)),
    });
  });
}

test('every row of docs/access.md is tried here, and every one that is tried is there', () => {
  expect(docTable('access.md', ...HEAD).map(([what]) => what)).toEqual(Object.keys(ASKS));
});

describe.each(docTable('access.md', ...HEAD))('%s', (what, ...cells) => {
  it.each(cells.map((cell, kind) => [HEAD[kind + 1], cell, kind] as const))(
    'with %s: %s',
    async (_kind, cell, kind) => {
      const raw = raws[kind]!;
      const { kind: answer } = await ASKS[what]!(raw, ids++);
      expect([GRANTED.includes(answer) ? 'yes' : 'no', answer]).toEqual([cell, answer]);
      // Whatever was asked for, the connection and the master live; only a stranger may have been thrown out for it.
      if (kind === 3) return;
      expect(raw.isClosed).toBe(false);
    },
  );
});

test('none of it was a login, a verb or a channel that nobody asked for', async () => {
  expect(stand.logged.filter((line) => line.startsWith('logged in'))).toHaveLength(2);
  const client = await stand.client({ username: 'ann', privateKey: stand.personKey.privateKey });
  client.end();
  await until('it came in', () => stand.logged.filter((line) => line.startsWith('logged in')).length === 3);
});
