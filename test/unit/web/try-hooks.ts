import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Taken } from '../../../src/master/hooks/delivery.ts';
import type { ChangeView } from '../../../src/master/views/change.ts';
import type { QueuedView } from '../../../src/master/views/request.ts';
import type { Forge } from '../../../src/model/forge.ts';
import { openHooks } from '../../../src/web/hooks/open-hooks.ts';
import type { HookLimits } from '../../../src/web/hooks/open-hooks.ts';
import { signed } from '../../support/forge-payloads.ts';
import type { EventName } from '../../support/forge-payloads.ts';
import { ADMIN, TryFarm } from '../master/try-farm.ts';

export const SECRET = 'a secret of the tests';

export interface HookAnswer {
  readonly status: number;
  readonly type: string;
  /** Of a delivery that was taken; otherwise a problem document. */
  readonly body: Taken & { readonly detail?: string };
}

const builders = `builders: [builder('debian', { workers: ['w'], steps: [sh('s', 'true')] })]`;
const schedulers = `schedulers: [onChange({ branch: 'main', pullRequests: true, tags: 'v*' }), force()]`;
const PROJECTS = {
  kate: `hook: { secretFile: 'secret' }, trustedAuthors: ['Trudy'],`,
  builds: `hook: { secretFile: 'secret' }, forks: 'build',`,
  ignores: `hook: { secretFile: 'secret', skip: ['no build'] }, forks: 'ignore',`,
  gitlabs: `hook: { secretFile: 'secret', kind: 'gitlab' },`,
  closed: '',
  unreadable: `hook: { secretFile: 'nowhere' },`,
} as const;

/** A real master with its port for webhooks, and nobody who builds. */
export class TryHooks {
  readonly farm: TryFarm;
  readonly logged: string[] = [];
  #port = 0;

  private constructor(farm: TryFarm) {
    this.farm = farm;
  }

  /** `more` is what `hooks` in `master.json` has besides; `others` are projects with their sources. */
  static async open(
    limits?: HookLimits,
    more: object = {},
    others: Readonly<Record<string, string>> = {},
  ): Promise<TryHooks> {
    const nowhere = Object.entries(PROJECTS).map(([name, own]) => [name, `source: git('/nowhere'), ${own}`]);
    const projects = [...nowhere, ...Object.entries(others)].map(
      ([name, own]) => `project('${name}', { ${own} ${builders}, ${schedulers} })`,
    );
    const hooks = new TryHooks(await TryFarm.create(`workers: [worker('w')], projects: [${projects.join(', ')}]`));
    const settings = join(hooks.farm.masterDir, 'master.json');
    const own = { hooks: { host: '127.0.0.1', port: 0, ...more } };
    await writeFile(settings, JSON.stringify({ ...JSON.parse(await readFile(settings, 'utf8')), ...own }));
    await hooks.secret(SECRET);
    const log = (message: string, fields?: Record<string, unknown>): void => {
      hooks.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    const { hooksPort = 0 } = await hooks.farm.startMaster({
      logger: { debug: log, info: log, warn: log, error: log },
      openHooks: (parts) => openHooks(parts, limits),
    });
    hooks.#port = hooksPort;
    return hooks;
  }

  async secret(words: string, mode = 0o600): Promise<void> {
    const file = join(this.farm.masterDir, 'secret');
    await writeFile(file, `${words}\n`);
    await chmod(file, mode);
  }

  /** A connection on which anything may be said. */
  connect(): Socket {
    const socket = connect(this.#port, '127.0.0.1');
    socket.on('error', () => {}); // That it is cut is what is looked at.
    return socket;
  }

  async post(path: string, body: string, headers: Record<string, string>, method = 'POST'): Promise<HookAnswer> {
    const asked = request({ host: '127.0.0.1', port: this.#port, path, method, headers, agent: false });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    const said = await text(answer);
    return {
      status: answer.statusCode ?? 0,
      type: answer.headers['content-type'] ?? '',
      body: said.startsWith('{') ? (JSON.parse(said) as HookAnswer['body']) : ({} as HookAnswer['body']),
    };
  }

  /** As the forge does it. */
  async send(forge: Forge, event: EventName, payload: object, { project = 'kate', id = '' } = {}): Promise<HookAnswer> {
    const body = JSON.stringify(payload);
    return await this.post(`/hooks/${forge}/${project}`, body, signed(forge, event, body, SECRET, id || undefined));
  }

  async changes(project = 'kate'): Promise<readonly ChangeView[]> {
    return await this.farm.operator.changes(ADMIN, { project, limit: 200 });
  }

  /** Oldest first. */
  async queue(project = 'kate'): Promise<readonly QueuedView[]> {
    const all = await this.farm.operator.queue(ADMIN);
    return all.filter((request) => request.project === project).toSorted((a, b) => a.id - b.id);
  }
}
