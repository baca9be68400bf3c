/** What the line and the script that it fetches have in common. */
export interface JoinNames {
  readonly worker: string;
  /** Tells one invitation from another; nothing can be done with it. */
  readonly id: string;
}

export interface JoinLineOptions extends JoinNames {
  /** A secret. */
  readonly code: string;
  /** Where the new machine finds the master: a name or address, and a port. */
  readonly host: string;
  readonly port: number;
  /** Public key lines of the master: no other host is spoken to. */
  readonly hostKeys: readonly string[];
}

/** The name that ssh's files give the master; `HostKeyAlias` makes it the same on any port. */
export const SSH_ALIAS = 'master';
const OPTIONS = [
  `HostKeyAlias ${SSH_ALIAS}`,
  'StrictHostKeyChecking yes',
  'GlobalKnownHostsFile /dev/null',
  'CheckHostIP no',
  'UpdateHostKeys no',
  'PubkeyAuthentication no',
  'BatchMode yes',
  'ConnectTimeout 20',
  'ServerAliveInterval 15',
];

/** Tells an ssh that failed in one line: the master's own words, or the last of ssh's. */
export const TELL_FAILURE = `{ grep '^trunkline:' "$t/said" || tail -n 1 "$t/said"; } | tr -d '\\r' >&2`;

export function idOf(codeHash: string): string {
  return codeHash.slice(0, 12);
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * The line to paste into a POSIX shell (also zsh's) on the new machine. The code goes into a file that only its user can read, never
 * into the arguments of a program, which all users of the machine see; OpenSSH 7 and later read these options. Pasted
 * again when the code is used up, it goes on with the script that the first time has left in the worker's folder.
 */
export function joinLine({ worker, id, code, host, port, hostKeys }: JoinLineOptions): string {
  const known = hostKeys.map((line) => quoted(`${SSH_ALIAS} ${line.split(' ').slice(0, 2).join(' ')}`));
  const config = [`Host ${SSH_ALIAS}`, `HostName ${host}`, `Port ${port}`, `User ${code}`, ...OPTIONS];
  const steps = [
    'umask 077',
    `w=\${TRUNKLINE_DIR:-$HOME/trunkline-${worker}}`,
    `[ "$(id -u)$TRUNKLINE_DIR" = 0 ] && w=/var/lib/trunkline/${worker}`,
    't=$(mktemp -d) || exit 1',
    `trap 'rm -rf "$t"' 0`,
    `trap 'exit 1' 1 2 15`,
    `printf '%s\\n' ${known.join(' ')} >"$t/known_hosts"`,
    `printf '%s\\n' ${config.map(quoted).join(' ')} "UserKnownHostsFile $t/known_hosts" >"$t/config"`,
    `if grep -qs ${id} "$w/join.sh"; then cp "$w/join.sh" "$t/script"; ` +
      `elif command -v ssh >/dev/null; then ssh -nTF "$t/config" ${SSH_ALIAS} fetch script >"$t/script" 2>"$t/said" || { ${TELL_FAILURE}; exit 1; }; ` +
      `else echo 'trunkline: ssh is missing here: install the OpenSSH client' >&2; exit 1; fi`,
    `sh "$t/script" "$t" "$w" ${quoted(addressOf({ host, port }))}`,
  ];
  return `(${steps.join('; ')})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
