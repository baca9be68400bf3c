import { parseJumpHost } from '../worker/jump-hosts.ts';
import { parseMasterAddress } from '../worker/master-address.ts';

/** What a person has to do on the jump hosts of a worker, so that they know the new key that it has for them. */
export function jumpLines(jump: readonly string[], masters: readonly string[], keyLine: string): readonly string[] {
  const hosts = jump.map(parseJumpHost);
  return hosts.flatMap(({ user, host, port }, index) => {
    const next = hosts[index + 1];
    const targets = (next ? [next] : masters.map(parseMasterAddress)).map(permitted);
    return [
      `On the jump host ${host}:${port} this line in ~${user}/.ssh/authorized_keys lets it through:`,
      `  ${['restrict', 'port-forwarding', ...targets].join(',')} ${keyLine}`,
    ];
  });
}

function permitted({ host, port }: { readonly host: string; readonly port: number }): string {
  return `permitopen="${host.includes(':') ? `[${host}]` : host}:${port}"`;
}
