import { array, asyncProperty, assert, constantFrom, oneof, string } from 'fast-check';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { shellWord } from '../../../src/base/shell-word.ts';
import { VERBS } from '../../../src/frontdoor/verbs/all.ts';
import { Connection } from '../../../src/store/sqlite/connection.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { PeopleStand } from '../../support/people-stand.ts';
import type { Ran } from '../../support/ssh-exec.ts';
import { SEED } from '../../support/seed.ts';
import { actsOnTerminal } from '../../support/terminal.ts';
import { until } from '../../support/until.ts';
import { ADMIN } from '../master/try-farm.ts';

// Real processes on a machine that may be busy with much else.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const range = (from: number, to: number): string =>
  String.fromCodePoint(...Array.from({ length: to - from + 1 }, (_, index) => from + index));
/** Begins a line of its own where a new line gets through. */
const FORGED = 'FORGED build 1 is a success';
/** Every character that a terminal acts on, and some sequences; what is cut off its front or end acts, too. */
const EVIL = [
  '\u001b[2J\u009b2J',
  range(0x80, 0x9f) + range(0x01, 0x1f),
  `\u001b]0;mine\u0007\r\n${FORGED}\n${FORGED}`,
  '\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u007f',
  '\u001bP$q"p\u001b\\\u001b[6n\u009dx\u009c',
].join('evil');
/** Where little has room, on one line. */
const LINE = '\u001b]0;mine\u0007\u009b2J\u202e';
const EVIL_JSON = JSON.stringify({ [EVIL]: EVIL, os: EVIL, arch: EVIL, cores: EVIL });

/** What is written over each column that may hold the words of others. */
const TOLD: Readonly<Record<string, string>> = {
  'approvals.approved_by': EVIL,
  'artifacts.name': EVIL,
  'audit_log.who': EVIL,
  'audit_log.action': EVIL,
  'audit_log.target': EVIL,
  'audit_log.detail': EVIL_JSON,
  'build_requests.project': EVIL,
  'build_requests.builder': EVIL,
  'build_requests.summary': EVIL,
  'build_sets.external_id': EVIL,
  'build_sets.reason': EVIL,
  'build_sets.owner': EVIL,
  'build_sets.properties': EVIL_JSON,
  'build_sets.property_sources': EVIL_JSON,
  'builds.builder': EVIL,
  'builds.project': EVIL,
  'builds.stop_reason': EVIL,
  'builds.summary': EVIL,
  'builds.worker': EVIL,
  'changes.author': EVIL,
  'changes.branch': EVIL,
  'changes.category': EVIL,
  'changes.codebase': EVIL,
  'changes.comments': EVIL,
  'changes.committer': EVIL,
  'changes.external_id': EVIL,
  'changes.files': JSON.stringify([EVIL, EVIL]),
  'changes.problems': JSON.stringify([EVIL]),
  'changes.project': EVIL,
  'changes.properties': EVIL_JSON,
  'changes.repository': EVIL,
  'changes.revision': EVIL,
  'changes.revlink': EVIL,
  'changes.sent_by': EVIL,
  'changes.skipped': EVIL,
  'changes.target': EVIL,
  'invitations.invited_by': EVIL,
  'lock_claims.key': `host/board/${LINE}`,
  'lock_waits.refusal': EVIL,
  'logs.name': EVIL,
  'outbox.last_error': EVIL,
  'outbox.receiver': EVIL,
  'outbox.subject': EVIL,
  'passes.label': EVIL,
  'properties.name': EVIL,
  'properties.source': EVIL,
  'properties.value': JSON.stringify(EVIL),
  'sources.error': EVIL,
  'scheduler_changes.branch': EVIL,
  'scheduler_states.off_by': EVIL,
  'scheduler_states.off_reason': EVIL,
  'source_stamps.branch': EVIL,
  'source_stamps.repository': EVIL,
  'source_stamps.revision': EVIL,
  'source_stamps.untrusted_of': EVIL,
  'step_links.name': EVIL,
  'step_links.url': EVIL,
  'steps.description': EVIL,
  'steps.name': EVIL,
  'steps.summary': EVIL,
  'test_results.detail': EVIL,
  'test_results.message': EVIL,
  'test_results.name': EVIL,
  'test_results.suite': EVIL,
  'troubles.end_text': EVIL,
  'troubles.owner': EVIL,
  'troubles.text': EVIL,
  'virtual_builders.description': EVIL,
  'virtual_builders.tags': JSON.stringify([EVIL]),
  'workers.aside_reason': EVIL,
  'workers.facts': EVIL_JSON,
  'workers.hold_by': EVIL,
  'workers.hold_reason': EVIL,
  'workers.host': EVIL,
  'workers.leaving_reason': EVIL,
  'workers.version': EVIL,
};

/** The other columns of text hold the master's own words (states, kinds, ids, hashes), keys, and names that were checked. */
const OURS = {
  approvals: ['project', 'revision'],
  build_envs: ['env'],
  artifacts: ['builder', 'project', 'sha256'],
  build_requests: ['cause', 'lane', 'result', 'state'],
  build_sets: ['approval', 'only_worker', 'origin', 'parent_key', 'project', 'scheduler'],
  builds: ['config_hash', 'result', 'retry_cause', 'session', 'state', 'uid'],
  changes: ['key', 'kind'],
  commands: ['answer', 'call', 'id', 'key', 'kind', 'seen_by', 'state'],
  configs: ['hash'],
  hook_deliveries: ['delivery', 'project'],
  invitations: ['code_hash', 'used_key', 'worker'],
  lock_claims: ['mode'],
  lock_waits: ['accesses'],
  log_chunks: ['codec'],
  log_extents: ['codec'],
  logs: ['command'],
  outbox: ['body', 'key', 'reporter', 'state'],
  passes: ['id', 'keys', 'kind', 'role', 'secret_sha256', 'who'],
  principals: ['keys', 'name', 'role', 'source'],
  request_rules: ['name', 'noun', 'project', 'rules'],
  scheduler_changes: ['project', 'scheduler'],
  scheduler_follows: ['project', 'scheduler'],
  scheduler_states: ['name', 'project', 'rule'],
  seats: ['builder', 'directory', 'project', 'session', 'worker'],
  settings: ['name', 'value'],
  source_progress: ['project', 'url', 'wants'],
  source_stamps: ['patch_id', 'patch_sha256'],
  source_tips: ['project', 'ref', 'revision'],
  sources: ['url'],
  steps: ['result', 'state'],
  test_reports: ['command', 'revision'],
  test_results: ['command', 'identity', 'state'],
  troubles: ['kind', 'worker'],
  virtual_builders: ['builder', 'name', 'project'],
  virtual_builds: ['name', 'project'],
  worker_connections: ['worker'],
  worker_host_keys: ['keys', 'worker'],
  workers: ['boot_id', 'hold', 'install_id', 'leaving_process', 'name', 'process_id', 'term'],
};

let stand: PeopleStand;
let database: Connection;
/** Builds, and a request that waits. */
let ended: number;
let running: number;
let waits: number;
let count = 0;

const SAID = shellWord(EVIL);

/** EVERY verb has its calls here, each made with `--json`, too. */
const CALLS: Readonly<Record<string, () => readonly string[] | Promise<readonly string[]>>> = {
  status: () => ['status'],
  queue: () => ['queue'],
  why: () => [`why ${running}`, `why request:${waits}`, 'why p/idle', `why p/${SAID}`],
  locks: () => ['locks', 'locks board', `locks ${SAID}`],
  builders: () => ['builders', 'builders p --tag a', `builders ${SAID} --tag ${SAID}`],
  builds: () => ['builds', `builds ${SAID}`],
  tests: () => [`tests ${ended} --all --details`, `tests ${ended} ${SAID}`, `tests ${SAID}`],
  build: () => [`build ${ended}`, `build ${running}`],
  changes: () => ['changes', `changes ${SAID}`],
  artifacts: () => [`artifacts ${ended}`, `artifacts ${SAID}`],
  'artifact get': () => [`artifact get ${ended} ${SAID}`],
  log: () => [`log ${ended} 0`, `log -f ${ended} 0`, `log ${ended} ${SAID}`, `log --log ${SAID} ${ended} 0`],
  force: () => [`force p/idle --reason ${SAID} -p a=${SAID}`, 'force p/short --wait', `force p/${SAID}`],
  parameters: () => ['parameters p/idle', 'parameters p/formal', `parameters p/${SAID}`],
  rebuild: () => [`rebuild ${ended}`, `rebuild ${ended} --set --latest --reason ${SAID}`, `rebuild ${SAID}`],
  try: () => [`try p/idle --revision 1 --reason ${SAID} -p a=${SAID}`, `try p/idle --revision ${SAID}`],
  sendchange: () => [
    `sendchange p --branch b --revision r${++count} --author ${SAID} --file ${SAID} --category ${SAID} --comments-stdin`,
    `sendchange p --branch ${SAID} --revision 1`,
    'sendchange p --json-stdin',
  ],
  poll: () => ['poll', 'poll p', `poll ${SAID}`],
  schedulers: () => ['schedulers', 'schedulers p', `schedulers ${SAID}`],
  'scheduler enable': () => ['scheduler enable p/force', `scheduler enable ${SAID}`, `scheduler enable p/${SAID}`],
  'scheduler disable': () => [`scheduler disable p/off --reason ${SAID}`, `scheduler disable ${SAID}`],
  stop: async () => [`stop request:${await request('idle')} --reason ${SAID}`, `stop ${ended}`, `stop ${SAID}`],
  'approve-build': async () => [
    `approve-build request:${await stand.addForkRequest('p')}`,
    'approve-build p#7',
    `approve-build ${SAID}#7 --revision ${SAID}`,
    `approve-build ${SAID}`,
  ],
  workers: () => ['workers'],
  'worker show': () => ['worker show w', 'worker show held', `worker show ${SAID}`],
  'worker invite': () => [`worker invite new-${++count} --host ci`, `worker invite new --host ${SAID}`],
  'worker invitations': () => ['worker invitations'],
  'worker uninvite': () => ['worker uninvite invited', `worker uninvite ${SAID}`],
  'worker knocks': () => ['worker knocks'],
  'worker approve': () => ['worker approve knocked', `worker approve ${SAID}`, `worker approve w --key ${SAID}`],
  'worker add': () => [`worker add new-${++count}`],
  'worker pause': () => [`worker pause held --reason ${SAID}`, `worker pause ${SAID} --reason ${SAID}`],
  'worker resume': () => ['worker resume drained', `worker resume ${SAID}`],
  'worker drain': () => [`worker drain drained --reason ${SAID}`, 'worker drain drained --wait'],
  'worker retire': () => [`worker retire retired --reason ${SAID}`, `worker retire ${SAID}`],
  'worker revoke': () => ['worker revoke revoked', `worker revoke ${SAID}`],
  'worker rotate': () => ['worker rotate w', 'worker rotate held', `worker rotate ${SAID}`],
  login: () => ['login'],
  'token add': () => [
    `token add ${shellWord(LINE)}`,
    `token add ${SAID}`,
    `token add a --role ${SAID}`,
    `token add a --expires ${SAID}`,
  ],
  'token list': () => ['token list'],
  'token revoke': () => [`token revoke ${SAID}`],
  'outbox retry': async () => [`outbox retry ${await stand.addMessage()}`, `outbox retry ${SAID}`],
  'outbox drop': async () => [`outbox drop ${await stand.addMessage()}`, `outbox drop ${SAID}`],
  outbox: () => ['outbox'],
  audit: () => ['audit -n 1000'],
  complete: () => ['complete builders', 'complete builds', 'complete workers', `complete ${SAID}`],
};

async function request(builder: string): Promise<number> {
  return (await stand.farm.operator.force(ADMIN, { project: 'p', builder }, { properties: {} })).id;
}

/** What the verb prints may be shown by any terminal, and each of its lines is its own. */
function expectHarmless({ out, errors }: Ran, command: string): void {
  const mayColour = command.startsWith('log');
  for (const said of [out, errors]) {
    expect(actsOnTerminal(said, mayColour), command).toBeUndefined();
    expect(
      said
        .toString()
        .split('\n')
        .filter((line) => line.startsWith(FORGED) && !mayColour),
      command,
    ).toEqual([]);
  }
}

beforeAll(async () => {
  const said = JSON.stringify(EVIL);
  const name = JSON.stringify(LINE);
  const print = JSON.stringify(`printf '%s' ${SAID}`);
  stand = await PeopleStand.open(
    `workers: [worker('w', { maxBuilds: 10, host: 'iron', owner: ${said} }), worker('held'), worker('nowhere')],
    projects: [project('p', { source: git('/nowhere', { poll: '1d' }), schedulers: [force(), force({ name: 'off' }), tryBuilds()], builders: [
      builder('short', { workers: ['w'], properties: { virtual_builder_name: 'shown' }, steps: [sh(${name}, ${print}), sh('run', 'echo x > f; echo 1..1; echo not ok'), artifact('keep', 'f'), tap('tap', { step: 'run' }, { haltOnFailure: false }), step('told', async (ctx) => { await ctx.link('a', 'https://example.org'); return { result: 'success', summary: ${said} }; })] }),
      builder('long', { workers: ['w'], locks: [hostLock('board')], steps: [sh('s', 'sleep 600')] }),
      builder('idle', { tags: ['a'], description: ${said}, workers: ['nowhere'], steps: [checkout()] }),
    ] })]`,
    { olga: 'operators' },
  );
  const { farm } = stand;
  await farm.startWorker('w');
  const last = (await farm.watch(await request('short'))).at(-1);
  if (last?.kind !== 'build') throw new Error('there is no build');
  ended = last.build.id;
  await request('long');
  running = await until('the long one runs', async () => (await farm.operator.status(ADMIN)).running[0]?.id);
  waits = await request('idle');
  await farm.operator.sendChanges(ADMIN, 'p', [{ branch: 'main', revision: 'first', comments: EVIL }]);
  await expect(farm.operator.poll(ADMIN, 'p')).rejects.toThrow(/could not be polled/);
  await farm.operator.addToken(ADMIN, { label: LINE });
  await farm.operator.inviteWorker(ADMIN, 'invited', { arrivedAt: { host: 'ci', port: 2222 } });
  for (const name of ['held', 'drained', 'retired', 'revoked']) {
    const key = { ...makeKeyPair(name).publicKey, comment: EVIL };
    await farm.operator.addWorker(ADMIN, name, [key]);
  }
  await farm.operator.holdWorker(ADMIN, 'held', { to: 'pause', reason: EVIL });
  await stand.addMessage();
  for (const username of ['knocked', EVIL]) {
    const refused = stand.connect({ username, privateKey: makeKeyPair('knocked').privateKey });
    await expect(refused).rejects.toThrow();
  }
  database = await Connection.open(join(farm.masterDir, 'state', 'trunkline.sqlite'), 'readwrite', 30_000);
  // As if all builds were made for the one change.
  await database.run('INSERT INTO build_set_changes SELECT s.id, c.id FROM build_sets s, changes c');
  for (const [column, text] of Object.entries(TOLD)) {
    const [table = '', name = ''] = column.split('.');
    // Rows that must differ go on doing so.
    await database.run(`UPDATE ${table} SET ${name} = ${text === EVIL ? '? || rowid' : '?'}`, text);
  }
  // What the master goes by: the worker stays, and its build is found when it comes back with another key.
  await database.run("UPDATE workers SET leaving_reason = NULL WHERE name = 'w'");
  await database.run("UPDATE builds SET worker = 'w' WHERE id = ?", running);
});
afterAll(async () => {
  // It is said to be stopped already, and nobody has said so to it.
  await database.run('UPDATE builds SET stop_reason = NULL WHERE id = ?', running);
  await database.close();
  await stand.farm.operator.stop(ADMIN, String(running), 'the test is over');
  await stand.farm.finished(String(running));
  await stand.close();
});

test('every column of text of the database is thought of here', async () => {
  const columns = await database.all<{ readonly name: string }>(
    `SELECT m.name || '.' || c.name AS name FROM sqlite_schema m, pragma_table_info(m.name) c
     WHERE m.type = 'table' AND lower(c.type) = 'text'`,
  );
  const ours = Object.entries(OURS).flatMap(([table, names]) => names.map((name) => `${table}.${name}`));
  expect(columns.map(({ name }) => name).toSorted()).toEqual([...Object.keys(TOLD), ...ours].toSorted());
});

test('every verb has its calls here', () => {
  expect(Object.keys(CALLS).toSorted()).toEqual(VERBS.map(({ name }) => name).toSorted());
});

describe.each(VERBS.map(({ name }) => name))('of %s nothing acts on a terminal', (verb) => {
  it('whatever the rows hold that it tells of', async () => {
    for (const more of verb === 'log' ? [''] : ['', ' --json']) {
      for (const call of await CALLS[verb]!()) {
        const stdin = verb === 'worker add' ? makeKeyPair(`c${++count}`).publicKeyLine : EVIL;
        expectHarmless(await stand.run('olga', call + more, stdin), call + more);
      }
    }
  });

  const word = oneof(
    constantFrom('--json', '--', '--reason', '-n', '-f', '--from', '0', 'p', EVIL),
    string({ unit: 'binary' }),
  );
  it('whatever is said to it', async () => {
    await assert(
      asyncProperty(array(word, { maxLength: 4 }), string({ unit: 'binary' }), async (words, stdin) => {
        const command = [verb, ...words.map(shellWord)].join(' ');
        expectHarmless(await stand.run('olga', command, stdin), command);
      }),
      { numRuns: 15, seed: SEED },
    );
  });
});

test('nor of words that are no verb, or never end', async () => {
  for (const command of [SAID, `help ${SAID}`, `worker ${SAID}`, `'${EVIL}`, `${EVIL}\\`]) {
    expectHarmless(await stand.run('olga', command), command);
  }
});
