import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Taken } from '../../src/master/hooks/delivery.ts';
import type { ChangeView } from '../../src/master/views/change.ts';
import type { QueuedView } from '../../src/master/views/request.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { pullOf, pushOf, signed } from '../support/forge-payloads.ts';
import type { EventName } from '../support/forge-payloads.ts';
import type { KillOrder } from '../support/kill-switch.ts';
import { runOk } from '../support/run.ts';
import { until } from '../support/until.ts';

const KILLED_MASTER = resolve(import.meta.dirname, '../../dist/test/support/killed-master-main.js');
const SECRET = 'a secret of the tests';
/** Of a delivery: of its change with the build set, and of the delivery itself. */
const COMMITS = 2;
/** What the disk has before a commit is what it had after the one before that: TRUNKLINE_KILL_POINTS=all tries both. */
const PHASES = process.env['TRUNKLINE_KILL_POINTS'] === 'all' ? (['before', 'after'] as const) : (['after'] as const);

let farm: Farm;
let bare: string;
let tree: string;
let master: Daemon;
let hooksPort = 0;

beforeAll(async () => {
  farm = await Farm.create();
  bare = join(farm.dir, 'kate.git');
  tree = join(farm.dir, 'tree');
  await runOk('git', ['init', '-q', '--bare', '-b', 'main', bare]);
  await runOk('git', ['init', '-q', '-b', 'main', tree]);
  await farm.config(`
import { builder, checkout, defineMaster, git, onChange, project, step, worker } from 'trunkline';
export default defineMaster({
  title: 'Told by a forge',
  workers: [worker('w')],
  projects: [
    project('kate', {
      source: git(${JSON.stringify(bare)}),
      hook: { kind: 'github', secretFile: 'secret' },
      builders: [builder('debian', { workers: ['w'], steps: [checkout(), step('told', async (ctx) => {
        await ctx.run('cat file; echo untrusted: ' + ctx.build.isUntrusted);
      })] })],
      schedulers: [onChange({ branch: 'main', pullRequests: true })],
    }),
  ],
});
`);
  await writeFile(join(farm.masterDir, 'secret'), `${SECRET}\n`, { mode: 0o600 });
  const settings = join(farm.masterDir, 'master.json');
  const own = { hooks: { host: '127.0.0.1', port: 0 } };
  await writeFile(settings, JSON.stringify({ ...JSON.parse(await readFile(settings, 'utf8')), ...own }));
});
afterAll(() => farm.close());

async function start(isToBeKilled: boolean): Promise<void> {
  const env = { KILL_MASTER: join(farm.dir, 'kill') };
  master = await farm.startMaster(env, isToBeKilled ? { program: KILLED_MASTER } : undefined);
  hooksPort = Number(/webhooks on port (\d+)/.exec(master.ready)?.[1]);
}

/** Undefined when nothing was answered. */
async function post(event: EventName, payload: object, id: string): Promise<Taken | undefined> {
  const body = JSON.stringify(payload);
  const headers = signed('github', event, body, SECRET, id);
  const url = `http://127.0.0.1:${hooksPort}/hooks/github/kate`;
  const answer = await fetch(url, { method: 'POST', body, headers }).catch(() => undefined); // Its master was killed.
  if (!answer) return undefined;
  expect(answer.status).toBe(200);
  return (await answer.json()) as Taken;
}

async function ask<T>(...words: readonly string[]): Promise<T> {
  const { status, text, stderr } = await farm.ssh([...words, '--json']);
  expect(status, stderr).toBe(0);
  return JSON.parse(text) as T;
}

const git = (...args: string[]): Promise<string> =>
  runOk('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', '-C', tree, ...args]);

async function commit(text: string): Promise<string> {
  await writeFile(join(tree, 'file'), `${text}\n`);
  await git('add', '-A');
  await git('commit', '-q', '-m', text);
  return (await git('rev-parse', 'HEAD')).trim();
}

test('a delivery whose master is killed around a commit is taken when it comes again, and nothing of it twice', async () => {
  await start(true);
  const deaths: string[] = [];
  for (let n = 1; n <= COMMITS; n++) {
    for (const phase of PHASES) {
      const name = `${phase} ${n}`;
      const order: KillOrder = { id: deaths.length + 1, n, phase };
      await writeFile(join(farm.dir, 'kill'), JSON.stringify(order));
      expect(await post('push', pushOf('github', { commits: [name] }), name)).toBeUndefined();
      await until('the master is killed', () => master.process.signalCode === 'SIGKILL');
      deaths.push(name);
      await start(true);
      const again = await post('push', pushOf('github', { commits: [name] }), name);
      expect([name, again?.isKnown]).toEqual([name, n === COMMITS && phase === 'after']);
      const changes = await ask<readonly ChangeView[]>('changes', 'kate');
      expect(changes.map(({ comments }) => comments)).toEqual(deaths.map((death) => `Change ${death}`).toReversed());
      expect(await ask<readonly QueuedView[]>('queue')).toHaveLength(deaths.length);
    }
  }
  for (const { id } of await ask<readonly QueuedView[]>('queue')) await ask('stop', `request:${id}`);
  await master.end('SIGTERM');
});

test('a signed push is built; the pull request of a fork waits until it is approved, and is built as what it is', async () => {
  await start(false);
  await farm.addWorker('w');
  await farm.startWorker('w');
  const first = await commit('ours');
  await git('push', '-q', bare, 'main');
  await post('push', pushOf('github', { after: first, commits: [] }), 'push');
  const built = await until('it is built', async () => (await farm.list()).find(({ state }) => state === 'finished'));
  expect(built).toMatchObject({ result: 'success', revision: first, owner: 'hook:github' });
  expect((await farm.log(built.id, 'told')).toString()).toBe('ours\nuntrusted: false\n');
  const head = await commit('theirs');
  await git('push', '-q', bare, 'HEAD:refs/pull/7/head');
  const pull = pullOf('github', { author: 'mallory' }) as { pull_request: { head: { sha: string } } };
  pull.pull_request.head.sha = head;
  await post('pull-request', pull, 'pull');
  const [waiting, ...more] = await ask<readonly QueuedView[]>('queue');
  expect(more).toEqual([]);
  const why = `waits for approval: a pull request of a fork by mallory; ssh ci approve-build request:${waiting?.id}`;
  expect(waiting).toMatchObject({ branch: 'refs/pull/7/head', revision: head, waitsFor: why });
  expect((await farm.ssh(['why', `request:${waiting?.id}`])).text).toContain(why);
  // Over a restart, too.
  await master.end('SIGKILL');
  await start(false);
  expect(await ask<readonly QueuedView[]>('queue')).toMatchObject([{ id: waiting?.id, waitsFor: why }]);
  expect((await farm.ssh(['approve-build', 'kate#7', '--revision', head])).status).toBe(0);
  const theirs = await until('it is built', async () =>
    (await farm.list()).find(({ state, revision }) => state === 'finished' && revision === head),
  );
  expect(theirs).toMatchObject({ result: 'success', blame: ['mallory'], untrustedOf: 'mallory' });
  expect((await farm.log(theirs.id, 'told')).toString()).toBe('theirs\nuntrusted: true\n');
  const audit = await ask<readonly { action: string; target: string }[]>('audit');
  expect(audit).toContainEqual(expect.objectContaining({ action: 'approve a build', target: 'kate#7', who: 'admin' }));
});
