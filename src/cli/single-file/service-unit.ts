export interface ServiceUnitOptions {
  readonly name: string;
  /** What starts the worker in the foreground. */
  readonly command: readonly string[];
  readonly isRoot: boolean;
}

/** The unit of an invited worker. Why it is so: docs/examples/trunkline-worker.service. */
export function serviceUnit({ name, command, isRoot }: ServiceUnitOptions): string {
  return `# Made when this machine was invited as the worker ${name}.
[Unit]
Description=Trunkline worker ${name}
${isRoot ? 'Wants=network-online.target\nAfter=network-online.target\n' : ''}StartLimitIntervalSec=0

[Service]
ExecStart=${command.map(unitWord).join(' ')}
Restart=always
RestartSec=2
TimeoutStopSec=30
KillMode=process
Delegate=yes
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy=${isRoot ? 'multi-user.target' : 'default.target'}
`;
}

/** Quoted for systemd.service(5): `%` and `$` stand for something there. */
function unitWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', () => '$$');
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, String.raw`\$&`)}"`;
}
