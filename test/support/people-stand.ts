import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { ConnectConfig } from 'ssh2';
import { makeKeyPair } from '../../src/transport/keys.ts';
import { addBuildSet } from '../../src/store/sqlite/add-build-set.ts';
import { auditStore } from '../../src/store/sqlite/audit-log.ts';
import { BatchWriter } from '../../src/store/sqlite/batch-writer.ts';
import { Connection } from '../../src/store/sqlite/connection.ts';
import type { Context } from '../../src/store/sqlite/context.ts';
import { addMessages, outboxStore } from '../../src/store/sqlite/outbox.ts';
import type { AuditEntry } from '../../src/store/store.ts';
import { TryFarm } from '../unit/master/try-farm.ts';
import { exec } from './ssh-exec.ts';
import type { Ran } from './ssh-exec.ts';

/** A farm with a person of each role, each logged in over a connection of its own. */
export class PeopleStand {
  readonly farm: TryFarm;
  readonly #keys = new Map<string, string>();
  readonly #clients = new Map<string, ssh2.Client>();
  #port = 0;
  #audit: Connection | undefined;

  private constructor(farm: TryFarm) {
    this.farm = farm;
  }

  /** `body` is what stands in `defineMaster({ … })` after the title; `people` by the folders of their roles. */
  static async open(body: string, people: Readonly<Record<string, string>>): Promise<PeopleStand> {
    const stand = new PeopleStand(await TryFarm.create(body));
    for (const [name, folder] of Object.entries(people)) {
      const key = makeKeyPair(name);
      stand.#keys.set(name, key.privateKey);
      await writeFile(join(stand.farm.masterDir, 'keys', folder, `${name}.pub`), key.publicKeyLine);
    }
    stand.#port = (await stand.farm.startMaster()).port;
    stand.#audit = await Connection.open(join(stand.farm.masterDir, 'state', 'trunkline.sqlite'), 'readonly', 5_000);
    return stand;
  }

  /** The private key of a worker of the farm. */
  workerKey(name: string): Promise<string> {
    return readFile(join(this.farm.dir, name, 'key'), 'utf8');
  }

  /** A connection of its own; rejects when the login is refused. */
  connect(config: ConnectConfig): Promise<ssh2.Client> {
    return new Promise((resolve, reject) => {
      const client = new ssh2.Client();
      client.once('error', reject);
      client.once('close', () => reject(new Error('closed')));
      client.once('ready', () => {
        client.on('error', () => undefined); // Its channels tell.
        resolve(client);
      });
      client.connect({ host: '127.0.0.1', port: this.#port, ...config });
    });
  }

  /** One verb of a person, over the one connection. */
  async run(name: string, command: string | Buffer, stdin = ''): Promise<Ran> {
    let client = this.#clients.get(name);
    if (!client) {
      const privateKey = this.#keys.get(name);
      if (privateKey === undefined) throw new Error(`nobody is called ${name}`);
      client = await this.connect({ username: name, privateKey });
      this.#clients.set(name, client);
    }
    return await exec(client, command, stdin);
  }

  /** What the audit log has of this person, newest first. */
  async audited(who: string): Promise<readonly AuditEntry[]> {
    const reader = this.#audit;
    if (!reader) throw new Error('the stand is not open');
    // Reads alone: nothing is written by it.
    const entries = await auditStore({ reader } as Context).list(1_000);
    return entries.filter((entry) => entry.who === who);
  }

  /** Puts a message for nobody into the master's outbox, by a connection of its own; resolves to its id. */
  async addMessage(): Promise<number> {
    const file = join(this.farm.masterDir, 'state', 'trunkline.sqlite');
    const connection = await Connection.open(file, 'readwrite', 5_000);
    const writer = new BatchWriter(connection, undefined);
    const key = randomUUID();
    const message = { key, reporter: 'nobody', to: 'nobody', subject: 'tried', body: { text: 'tried' } };
    await writer.write((transaction) => addMessages(transaction, [message], Date.now()));
    const added = (await outboxStore({ reader: connection, writer }).list(10)).find((one) => one.key === key);
    await writer.close();
    await connection.close();
    if (!added) throw new Error('the message was not added');
    return added.id;
  }

  /** A request of a fork's revision that waits for approval, another one each time; by a connection of its own. */
  async addForkRequest(project: string): Promise<number> {
    const file = join(this.farm.masterDir, 'state', 'trunkline.sqlite');
    const connection = await Connection.open(file, 'readwrite', 5_000);
    const revision = randomUUID().replaceAll('-', '');
    const writer = new BatchWriter(connection, undefined);
    const { requests } = await writer.write((transaction) =>
      addBuildSet(transaction, {
        reason: 'a pull request',
        owner: 'hook:github',
        source: { branch: 'refs/pull/7/head', revision, untrustedOf: 'mallory' },
        properties: {},
        priority: 0,
        builders: [{ project, builder: 'idle' }],
        atMs: Date.now(),
      }),
    );
    await writer.close();
    await connection.close();
    return requests[0]!.id;
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.destroy();
    await this.#audit?.close();
    await this.farm.close();
  }
}
