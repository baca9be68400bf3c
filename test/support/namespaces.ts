import { existsSync } from 'node:fs';
import { errorText } from '../../src/base/errors.ts';
import { run, runOk } from './run.ts';
import { isMissing } from './tools.ts';

/** Names of network namespaces are those of the whole machine: `PREFIX-PID-NAME`, so that a later run finds what a crash left. */
const PREFIX = 'tlns';

/** Why no network can be made here; undefined when one can. At the gate this is an error. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  if (isMissing('ip', 'nft')) return 'ip and nft are missing';
  const network = new Namespaces();
  try {
    await network.create();
    await network.filter('router', 'chain probe { ct state established accept; }');
    return undefined;
  } catch (error) {
    if (process.env['CI']) throw error;
    return errorText(error);
  } finally {
    await network.close();
  }
}

/**
 * A network of its own: hosts, each a network namespace, around a router, 10.77.N.0/24 each; and hosts behind NAT. Nothing
 * of it touches the machine's own network. All that runs in it is killed by `close`, and by the next `create` after a crash.
 */
export class Namespaces {
  readonly #hosts = new Map<string, string>();

  /** Makes the router. */
  async create(): Promise<void> {
    await removeStale();
    await this.#make('router');
    await this.#in('router', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  }

  /** A host beside the router; answers its address. */
  async host(name: string): Promise<string> {
    const subnet = `10.77.${this.#hosts.size}`;
    await this.#make(name);
    await this.#wire('router', name, `${subnet}.1`, `${subnet}.2`);
    return `${subnet}.2`;
  }

  /** A host whose packets leave with the address of `gateway`, and to which no way leads. */
  async hostBehind(gateway: string, name: string): Promise<string> {
    await this.#make(name);
    await this.#wire(gateway, name, '192.168.77.1', '192.168.77.2');
    await this.#in(gateway, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await this.filter(
      gateway,
      `chain out { type nat hook postrouting priority 100; ip saddr 192.168.77.0/24 masquerade; }`,
      'ip',
    );
    return '192.168.77.2';
  }

  /** Another address of a host. */
  async addAddress(name: string, address: string): Promise<void> {
    await this.#in(name, ['ip', 'addr', 'add', `${address}/24`, 'dev', 'router']);
  }

  /** Replaces the firewall of a host by these chains (nftables). */
  async filter(name: string, chains: string, family: 'inet' | 'ip' = 'inet'): Promise<void> {
    const rules = `table ${family} tl {}\ndelete table ${family} tl\ntable ${family} tl {\n${chains}\n}\n`;
    await runOk('ip', [...this.within(name).slice(1), 'nft', '-f', '-'], { input: rules });
  }

  /** Words before a command that let it run on that host. */
  within(name: string): readonly string[] {
    const namespace = this.#hosts.get(name);
    if (namespace === undefined) throw new Error(`there is no host ${name}`);
    return ['ip', 'netns', 'exec', namespace];
  }

  async close(): Promise<void> {
    for (const namespace of this.#hosts.values()) await remove(namespace);
    this.#hosts.clear();
  }

  async #make(name: string): Promise<void> {
    const namespace = `${PREFIX}-${process.pid}-${name}`;
    await runOk('ip', ['netns', 'add', namespace]);
    this.#hosts.set(name, namespace);
    await this.#in(name, ['ip', 'link', 'set', 'lo', 'up']);
  }

  /** A cable: at each end it is named for the other. `to` has its default route through it. */
  async #wire(from: string, to: string, fromAddress: string, toAddress: string): Promise<void> {
    const [near = '', far = ''] = [this.#hosts.get(from), this.#hosts.get(to)];
    await runOk('ip', ['link', 'add', to, 'netns', near, 'type', 'veth', 'peer', 'name', from, 'netns', far]);
    await this.#in(from, ['ip', 'addr', 'add', `${fromAddress}/24`, 'dev', to]);
    await this.#in(from, ['ip', 'link', 'set', to, 'up']);
    await this.#in(to, ['ip', 'addr', 'add', `${toAddress}/24`, 'dev', from]);
    await this.#in(to, ['ip', 'link', 'set', from, 'up']);
    await this.#in(to, ['ip', 'route', 'add', 'default', 'via', fromAddress]);
  }

  async #in(name: string, words: readonly string[]): Promise<void> {
    await runOk('ip', [...this.within(name).slice(1), ...words]);
  }
}

/** What a run left that did not come to its end. */
async function removeStale(): Promise<void> {
  for (const line of (await runOk('ip', ['netns', 'list'])).split('\n')) {
    const [namespace = ''] = line.split(' ');
    const [, pid] = new RegExp(`^${PREFIX}-(\\d+)-`).exec(namespace) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await remove(namespace);
  }
}

async function remove(namespace: string): Promise<void> {
  // Until none is left: one may be about to start another.
  for (;;) {
    const pids = (await run('ip', ['netns', 'pids', namespace])).text.split('\n').filter((pid) => pid !== '');
    if (pids.length === 0) break;
    await run('kill', ['-9', ...pids]);
  }
  await runOk('ip', ['netns', 'del', namespace]);
}
