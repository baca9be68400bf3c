import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { VERBS } from '../../../src/frontdoor/verbs/all.ts';
import type { WorkerView } from '../../../src/master/views/worker.ts';
import { mayActAs } from '../../../src/model/principal.ts';
import { makeKeyPair, parsePublicKeys } from '../../../src/transport/keys.ts';
import { BareRepository } from '../../support/bare-repository.ts';
import { docTable } from '../../support/doc-table.ts';
import { PeopleStand } from '../../support/people-stand.ts';
import { exec } from '../../support/ssh-exec.ts';
import { until } from '../../support/until.ts';
import { ADMIN } from '../master/try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PEOPLE = { rita: 'reader', dora: 'developer', olga: 'operator' } as const;
const ALL = '[...["rita", "dora"]]';
/** Projects by what Rita and Dora may do with them. */
const PROJECTS = {
  open: '',
  theirs: `access: { read: ${ALL}, control: ${ALL} },`,
  readable: `access: { read: ${ALL}, control: [] },`,
  hidden: 'access: { read: [] , control: [] },',
} as const;
type Project = keyof typeof PROJECTS;

/** How a verb is tried on a project, and how one sees that it told of it. */
interface Trial {
  readonly words: (project: Project, person: keyof typeof PEOPLE) => string | Promise<string>;
  readonly stdin?: string;
  readonly tells?: (output: string, project: Project) => boolean;
  /** It is in the audit log although a reader may. */
  readonly isNoted?: true;
}

let stand: PeopleStand;
let repositoryDir: string;
let count = 0;
/** Builds that run, and builds that are over. */
const running = new Map<Project, number>();
const over = new Map<Project, number>();
const names = (output: string, project: Project): boolean => output.includes(`"project":"${project}"`);

/** EVERY verb of the front door has its way to be tried here, and its row in `docs/access.md`. */
const TRIALS: Readonly<Record<string, Trial>> = {
  status: { words: () => 'status --json', tells: names },
  queue: { words: () => 'queue --json', tells: names },
  why: { words: (project) => `why ${project}/idle --json`, tells: names },
  locks: { words: () => 'locks --json', tells: names },
  builders: { words: () => 'builders --json', tells: names },
  builds: { words: () => 'builds -n 100 --json', tells: names },
  build: { words: (project) => `build ${over.get(project)} --json`, tells: names },
  tests: { words: (project) => `tests ${over.get(project)} --json`, tells: names },
  artifacts: {
    words: (project) => `artifacts ${over.get(project)} --json`,
    tells: (output) => output.includes('a/kept'),
  },
  'artifact get': {
    words: (project) => `artifact get ${over.get(project)} a/kept`,
    tells: (output, project) => output === `in ${project}\n`,
  },
  log: { words: (project) => `log ${project}/short#1 s`, tells: (output, project) => output === `in ${project}\n` },
  force: { words: (project) => `force ${project}/idle` },
  parameters: { words: (project) => `parameters ${project}/idle --json`, tells: names },
  rebuild: { words: (project) => `rebuild ${over.get(project)}` },
  try: { words: (project) => `try ${project}/idle --revision 1`, stdin: 'a patch' },
  sendchange: { words: (project) => `sendchange ${project} --branch main --revision r${++count}` },
  poll: { words: (project) => `poll ${project}` },
  changes: { words: () => 'changes --json', tells: names },
  schedulers: { words: () => 'schedulers --json', tells: names },
  'scheduler enable': { words: (project) => `scheduler enable ${project}/force` },
  'scheduler disable': { words: (project) => `scheduler disable ${project}/off` },
  stop: { words: async (project) => `stop request:${await waiting(project)}` },
  'approve-build': { words: async (project) => `approve-build request:${await stand.addForkRequest(project)}` },
  workers: {
    words: () => 'workers --json',
    tells: (output, project) =>
      (JSON.parse(output) as WorkerView[]).some(({ builds }) => builds.includes(running.get(project) ?? -1)),
  },
  'worker show': {
    words: () => 'worker show w --json',
    tells: (output, project) => (JSON.parse(output) as WorkerView).builds.includes(running.get(project) ?? -1),
  },
  audit: { words: () => 'audit' },
  'outbox retry': { words: async () => `outbox retry ${await stand.addMessage()}` },
  'outbox drop': { words: async () => `outbox drop ${await stand.addMessage()}` },
  outbox: { words: () => 'outbox' },
  'worker pause': { words: async () => `worker pause ${await added()} --reason tried` },
  'worker resume': { words: async () => `worker resume ${await added()}` },
  'worker drain': { words: async () => `worker drain ${await added()}` },
  'worker retire': { words: async () => `worker retire ${await added()}` },
  'worker invite': { words: () => `worker invite new-${++count} --host ci` },
  'worker invitations': { words: () => 'worker invitations' },
  'worker uninvite': { words: async () => `worker uninvite ${await invited()}` },
  'worker knocks': { words: () => 'worker knocks' },
  'worker approve': { words: async () => `worker approve ${await knocked()}` },
  'worker add': {
    words: () => `worker add new-${++count}`,
    stdin: makeKeyPair('new').publicKeyLine,
  },
  'worker revoke': {
    words: async () => `worker revoke ${await added()}`,
  },
  'worker rotate': { words: () => 'worker rotate w' },
  login: { words: () => 'login', isNoted: true },
  'token add': { words: () => 'token add a-label', isNoted: true },
  complete: {
    words: () => 'complete builders',
    tells: (output, project) => output.split('\n').includes(`${project}/idle`),
  },
  'token list': { words: () => 'token list' },
  'token revoke': { words: async (_, person) => `token revoke ${await tokenOf(person)}`, isNoted: true },
};

async function tokenOf(name: keyof typeof PEOPLE): Promise<string> {
  return (await stand.farm.operator.addToken({ name, role: PEOPLE[name] }, { label: 'to be revoked' })).id;
}

async function added(): Promise<string> {
  const name = `added-${++count}`;
  await stand.farm.operator.addWorker(ADMIN, name, parsePublicKeys(makeKeyPair(name).publicKeyLine));
  return name;
}

async function invited(): Promise<string> {
  const name = `invited-${++count}`;
  await stand.farm.operator.inviteWorker(ADMIN, name, { arrivedAt: { host: 'ci', port: 2222 } });
  return name;
}

async function knocked(): Promise<string> {
  const username = `knocked-${++count}`;
  const refused = stand.connect({ username, privateKey: makeKeyPair(username).privateKey });
  await expect(refused).rejects.toThrow();
  return username;
}

async function waiting(project: Project, builder = 'idle'): Promise<number> {
  return (await stand.farm.operator.force(ADMIN, { project, builder }, { properties: {} })).id;
}

beforeAll(async () => {
  repositoryDir = await mkdtemp(join(tmpdir(), 'tl-access-'));
  await BareRepository.make(repositoryDir);
  const projects = Object.entries(PROJECTS).map(
    ([
      name,
      access,
    ]) => `project('${name}', { ${access} source: git('${repositoryDir}', { poll: '1d' }), schedulers: [force(), force({ name: 'off' }), tryBuilds()], builders: [
      builder('short', { workers: ['w'], steps: [sh('s', 'echo in ${name} | tee kept'), artifact('keep', 'kept', { as: 'a/kept' })] }),
      builder('long', { workers: ['w'], locks: [masterLock('board', { slots: 9 }).counting()], steps: [sh('s', 'sleep 600')] }),
      builder('idle', { workers: ['nowhere'], steps: [checkout()] }),
    ] })`,
  );
  stand = await PeopleStand.open(
    `workers: [worker('w', { maxBuilds: 10 }), worker('nowhere')], projects: [${projects.join(', ')}]`,
    { rita: 'readers', dora: 'developers', olga: 'operators' },
  );
  await stand.farm.startWorker('w');
  for (const project of Object.keys(PROJECTS) as Project[]) {
    const last = (await stand.farm.watch(await waiting(project, 'short'))).at(-1);
    if (last?.kind === 'build') over.set(project, last.build.id);
    await stand.farm.operator.sendChanges(ADMIN, project, [{ branch: 'main', revision: 'first' }]);
    await waiting(project, 'long');
    await waiting(project);
  }
  const builds = await until('the long ones run', async () => {
    const views = (await stand.farm.operator.status(ADMIN)).running;
    return views.length === Object.keys(PROJECTS).length ? views : undefined;
  });
  for (const { project, id } of builds) running.set(project as Project, id);
});
afterAll(async () => {
  for (const id of running.values()) {
    await stand.farm.operator.stop(ADMIN, String(id), 'the test is over');
    await stand.farm.finished(String(id));
  }
  await stand.close();
  await rm(repositoryDir, { recursive: true, force: true });
});

/** Its output is the log itself. */
const WITHOUT_JSON = ['artifact get', 'log'];
const HEAD = ['verb', 'for', 'of a project that you may not read', 'of one that you may read, not control'];

test('every verb has its row in docs/access.md, with its role, and its trial here', () => {
  const known = VERBS.map(({ name, role }) => [name, role]);
  expect(docTable('access.md', ...HEAD).map(([verb, role]) => [verb, role])).toEqual(known);
  expect(VERBS.map(({ name }) => name).filter((name) => !(name in TRIALS))).toEqual([]);
});

describe.each(docTable('access.md', ...HEAD))('%s, for a %s', (verb, needed, unread, uncontrolled) => {
  const role = VERBS.find(({ name }) => name === verb)?.role ?? 'operator';
  const isOfTheFarm = unread === '-';
  const people = Object.entries(PEOPLE) as [keyof typeof PEOPLE, (typeof PEOPLE)[keyof typeof PEOPLE]][];
  const cells = people.flatMap(([name, own]) =>
    (Object.keys(PROJECTS) as Project[]).map((project) => ({ name, own, project })),
  );

  function expected(own: (typeof PEOPLE)[keyof typeof PEOPLE], project: Project): { status: number; tells: boolean } {
    if (!mayActAs(own, role)) return { status: 77, tells: false };
    if (own === 'operator' || isOfTheFarm || project === 'open' || project === 'theirs')
      return { status: 0, tells: true };
    const cell = project === 'hidden' ? unread : uncontrolled;
    if (cell === 'not found') return { status: 66, tells: false };
    if (cell === 'refused') return { status: 77, tells: false };
    return { status: 0, tells: cell === 'shown' };
  }

  it.each(cells)('$name, $own, on the project $project', async ({ name, own, project }) => {
    expect(role).toBe(needed);
    const trial = TRIALS[verb]!;
    const words = await trial.words(project, name);
    const before = await stand.audited(name);
    const { status, out, errors } = await stand.run(name, words, trial.stdin);
    const wanted = expected(own, project);
    expect([status, errors.toString()]).toEqual([
      wanted.status,
      wanted.status === 0 ? '' : expect.stringMatching(/\S/),
    ]);
    if (trial.tells) expect(status === 0 && trial.tells(out.toString(), project)).toBe(wanted.tells);
    const noted = (await stand.audited(name)).slice(0, -before.length || undefined);
    expect(noted).toHaveLength(role === 'reader' && !trial.isNoted ? 0 : 1);
    if (noted[0]) expect(noted[0].detail?.['refused'] !== undefined).toBe(status !== 0);
  });

  if (WITHOUT_JSON.includes(verb)) return;
  it('prints one line of JSON with --json, as its usage says', async () => {
    expect(VERBS.find(({ name }) => name === verb)?.usage).toContain('[--json]');
    const { words, stdin } = TRIALS[verb]!;
    const { out, errors } = await stand.run('olga', `${await words('open', 'olga')} --json`, stdin);
    expect([errors.toString(), out.toString()]).toEqual(['', expect.stringMatching(/^[{[][^\n]*\n$/)]);
    JSON.parse(out.toString());
  });
});

test('with --json, help is one line of JSON, too', async () => {
  const all = JSON.parse((await stand.run('rita', 'help --json')).out.toString()) as { readonly name: string }[];
  expect(all.map(({ name }) => name)).toEqual(VERBS.filter(({ role }) => role === 'reader').map(({ name }) => name));
  const one = await stand.run('rita', 'help --json builds');
  expect(JSON.parse(one.out.toString())).toMatchObject({ name: 'builds', role: 'reader', usage: expect.anything() });
});

test('a worker’s key, a stranger’s and a revoked one run no verb', async () => {
  const worker = await stand.connect({ username: 'w', privateKey: await stand.workerKey('w') });
  for (const { name } of VERBS) await expect(exec(worker, name), name).rejects.toThrow();
  worker.destroy();
  await stand.farm.startWorker('gone');
  await stand.farm.operator.revokeWorker(ADMIN, 'gone');
  const logins = [
    { username: 'nobody', privateKey: makeKeyPair('nobody').privateKey },
    { username: 'olga', privateKey: makeKeyPair('olga').privateKey },
    { username: 'olga', privateKey: await stand.workerKey('w') },
    { username: 'gone', privateKey: await stand.workerKey('gone') },
  ];
  for (const login of logins) await expect(stand.connect(login), login.username).rejects.toThrow(/authentication/);
});

test('help is for everybody, and names what the role may', async () => {
  for (const [name, own] of Object.entries(PEOPLE)) {
    const page = (await stand.run(name, 'help')).out.toString();
    const named = VERBS.filter(({ usage }) => page.includes(`  ${usage}\n`)).map((one) => one.name);
    expect(named).toEqual(VERBS.filter(({ role }) => mayActAs(own, role)).map((one) => one.name));
  }
});
