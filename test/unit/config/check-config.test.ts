import { expect, test } from 'vitest';
import { checkConfig } from '../../../src/config/check-config.ts';
import {
  builder,
  checkout,
  defineMaster,
  force,
  git,
  host,
  mail,
  project,
  sh,
  step,
  webhook,
  worker,
} from '../../../src/index.ts';

const steps = [sh('make', 'make')];
const sid = worker('sid');

function mistakes(exported: unknown): readonly string[] {
  const check = checkConfig('hash', exported);
  return 'mistakes' in check ? check.mistakes : [];
}

function withBuilder(made: unknown): unknown {
  return { ...defineMaster({ title: 'T', workers: [sid], projects: [] }), projects: [{ ...kate, builders: [made] }] };
}
const kate = project('kate', { builders: [builder('debian', { workers: ['sid'], steps })] });

test('a configuration becomes its shape, with all that was left out', () => {
  const source = git('https://git.example.org/kate.git', { branch: 'main' });
  const builders = [
    builder('debian', {
      workers: ['sid', 'sid'],
      env: { A: 'b' },
      steps: [checkout(), sh('make', 'make'), sh('make', 'make again', { alwaysRun: true })],
    }),
  ];
  const config = defineMaster({
    title: 'T',
    workers: [worker('sid', { maxBuilds: 2 })],
    projects: [project('kate', { source, builders, schedulers: [force()] })],
  });
  const check = checkConfig('hash', config);
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape).toMatchObject({
    hash: 'hash',
    title: 'T',
    heartbeatMs: 15_000,
    workers: [{ name: 'sid', maxBuilds: 2 }],
    projects: [
      {
        name: 'kate',
        source: { kind: 'git', url: 'https://git.example.org/kate.git', branch: 'main' },
        schedulers: [{ kind: 'force', name: 'force', builders: ['debian'], properties: {}, priority: 0 }],
        builders: [
          {
            name: 'debian',
            workers: ['sid'],
            env: { A: 'b' },
            whenWorkerLost: { retryAfterMs: 1_800_000 },
            steps: [
              { name: 'checkout', rules: { haltOnFailure: true, alwaysRun: false } },
              { name: 'make' },
              { name: 'make-2', rules: { haltOnFailure: true, alwaysRun: true } },
            ],
          },
        ],
      },
    ],
  });
});

test('a builder on an unknown worker is told with its place and the way out', () => {
  expect(mistakes(withBuilder(builder('debian', { workers: ['sidd'], steps })))).toEqual([
    'project "kate", builder "debian": worker "sidd" is not among the workers; add worker(\'sidd\') or correct the name',
  ]);
});

test('what becomes of the builds of a lost worker is told a builder, and fits the heartbeat', () => {
  const rules = ['wait', { retryAfter: '4s' }, { retryAfter: '2h' }] as const;
  const builders = rules.map((whenWorkerLost, n) => builder(`b${n}`, { workers: ['sid'], whenWorkerLost, steps }));
  const farm = (heartbeat?: string): ReturnType<typeof checkConfig> => {
    const projects = [project('kate', { builders })];
    return checkConfig('hash', defineMaster({ title: 'T', ...(heartbeat && { heartbeat }), workers: [sid], projects }));
  };
  const check = farm('1s');
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.heartbeatMs).toBe(1_000);
  expect(check.shape.projects[0]?.builders.map((one) => one.whenWorkerLost)).toEqual([
    'wait',
    { retryAfterMs: 4_000 },
    { retryAfterMs: 7_200_000 },
  ]);
  expect(farm()).toEqual({
    mistakes: [
      'project "kate", builder "b1": whenWorkerLost retries after 4s, but a worker is known to be lost only after 4 heartbeats; write 1m or more, or a shorter heartbeat',
    ],
  });
  for (const heartbeat of ['500ms', '61s', 'often']) {
    const bad = farm(heartbeat);
    expect('mistakes' in bad && bad.mistakes, heartbeat).toMatchObject([
      expect.stringContaining(`heartbeat: "${heartbeat}"`),
    ]);
  }
  expect(mistakes(withBuilder({ ...kate.builders[0], whenWorkerLost: { retryAfter: 5 } }))).toEqual([
    'project "kate", builder "debian", whenWorkerLost: write \'wait\', or { retryAfter: \'30m\' } with a time of your choice',
  ]);
});

test('names that are there twice are told, also when only their case differs', () => {
  const twice = { ...kate, builders: [...kate.builders, builder('Debian', { workers: ['sid'], steps })] };
  expect(mistakes(defineMaster({ title: 'T', workers: [sid, sid], projects: [twice, kate] }))).toEqual([
    'worker "sid" is there twice; remove or rename one',
    'project "kate" is there twice; remove or rename one',
    'project "kate": builder "Debian" is there twice; remove or rename one',
  ]);
});

test.each<[string, unknown, string]>([
  [
    'a name that would be a path',
    builder('../x', { workers: ['sid'], steps }),
    'builder "../x", name: the name "../x"',
  ],
  ['no workers', builder('debian', { workers: [], steps }), 'builder "debian", workers: name at least one worker'],
  [
    'no steps',
    builder('debian', { workers: ['sid'], steps: [] }),
    'builder "debian", steps: give it at least one step',
  ],
  [
    'a misspelt option',
    { ...builder('debian', { workers: ['sid'], steps }), evn: {} },
    'builder "debian": unknown option evn; remove it',
  ],
  [
    'a time that is none',
    builder('debian', { workers: ['sid'], steps: [sh('make', 'make', { timeout: '20 min' })] }),
    'builder "debian", step "make", timeout: "20 min" is no duration: write a time like',
  ],
  [
    'a limit of a log that is none',
    builder('debian', { workers: ['sid'], logLimit: '100 MB', steps }),
    'builder "debian", logLimit: "100 MB" is no limit of a log: write a size like',
  ],
  [
    'a limit of a log that is too small',
    builder('debian', { workers: ['sid'], steps: [sh('make', 'make', { logLimit: '1KB' })] }),
    'builder "debian", step "make", logLimit: "1KB" is no limit of a log: write a size like',
  ],
  [
    'a property that is no JSON',
    builder('debian', { workers: ['sid'], properties: { when: new Date(0) as never }, steps }),
    'builder "debian", properties, when: this is no JSON',
  ],
  ['a worker for a builder', worker('sid'), 'worker'],
  ['nothing for a builder', undefined, 'builder 1: this is no builder: use builder()'],
  [
    'text for a step',
    { ...builder('debian', { workers: ['sid'], steps }), steps: ['make'] },
    'builder "debian", step 1: this is no step: use sh(), checkout(), reboot() or step()',
  ],
  [
    'a step without a function',
    builder('debian', { workers: ['sid'], steps: [step('odd', undefined as never)] }),
    'step "odd", run: give it a function',
  ],
  [
    'a checkout of nothing',
    builder('debian', { workers: ['sid'], steps: [checkout()] }),
    'step "checkout": the project has no source',
  ],
])('%s is told with its place', (_what, made, told) => {
  expect(mistakes(withBuilder(made)).join('\n')).toContain(told);
});

test.each([undefined, null, 5, {}, sid])('an export that is no configuration is told so: %j', (exported) => {
  expect(mistakes(exported).join('\n')).toContain('export default defineMaster');
});

test('a configuration of a newer format is told so', () => {
  expect(mistakes({ kind: 'master', format: 99 })).toEqual([expect.stringContaining('newer trunkline')]);
});

test('what git would take for an option is refused', () => {
  const odd = project('kate', { source: git('--upload-pack=x'), builders: kate.builders });
  expect(mistakes(defineMaster({ title: 'T', workers: [sid], projects: [odd] }))).toEqual([
    'project "kate", source, url: it must not begin with "-"',
  ]);
});

test('a builder takes patches when it checks the source of its project out', () => {
  const url = 'https://git.example.org/kate.git';
  const builders = [
    [],
    [checkout()],
    [checkout({ url })],
    [checkout({ branch: 'other' })],
    [checkout({ url: 'https://git.example.org/other.git' })],
  ].map((first, n) => builder(`b${n}`, { workers: ['sid'], steps: [...first, ...steps] }));
  const check = checkConfig('hash', {
    ...defineMaster({ title: 'T', workers: [sid], projects: [] }),
    projects: [project('kate', { source: git(url), builders })],
  });
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  const [built] = check.shape.projects;
  expect(built?.builders.map(({ takesPatches }) => takesPatches)).toEqual([false, true, true, false, false]);
});

test('reporters have what is left out, a name each, and nothing in them that is more than it seems', () => {
  const smtp = { host: 'localhost', port: 25 };
  const reporters = [mail({ from: 'ci@example.org', smtp }), webhook({ url: 'https://example.org/hook' })];
  const config = defineMaster({ title: 'T', workers: [sid], projects: [kate], reporters });
  const check = checkConfig('hash', config);
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.reporters).toEqual([
    { kind: 'mail', name: 'mail', from: 'ci@example.org', to: [], smtp: { ...smtp, secure: false } },
    { kind: 'webhook', name: 'webhook', url: 'https://example.org/hook' },
  ]);
  const of = (...wrong: readonly unknown[]): readonly string[] => mistakes({ ...config, reporters: wrong });
  expect(of(reporters[0], reporters[0])).toEqual(['reporter "mail" is there twice; give one of them another name']);
  expect(of(mail({ from: 'Ann <ann@example.org>', smtp }))).toEqual([expect.stringMatching(/from: write an address/)]);
  expect(of(mail({ from: 'a@example.org', to: ['b@example.org\r\nBcc: eve@example.org'], smtp }))).toHaveLength(1);
  expect(of(mail({ from: 'a@example.org', smtp: { ...smtp, user: 'ci' } }))).toEqual([
    expect.stringMatching(/both user and passwordFile/),
  ]);
  for (const url of ['file:///etc/passwd', 'https://ann:secret@example.org/', 'example.org'])
    expect(of(webhook({ url }))).toEqual([expect.stringMatching(/url: write a URL/)]);
  expect(of({ kind: 'pigeon', name: 'p' })).toEqual([expect.stringMatching(/this is no reporter/)]);
});

const labelled = [
  worker('sid', { labels: { os: 'debian', arch: 'amd64' }, host: 'vm1' }),
  worker('arm', { labels: { os: 'debian', arch: 'arm64' }, startSpacing: '5s' }),
  worker('gpu', { labels: ['gpu', 'fast'] }),
  worker('plain'),
];

test.each<[Parameters<typeof builder>[1]['workers'], readonly string[]]>([
  [{ labels: { os: 'debian' } }, ['sid', 'arm']],
  [{ labels: { os: 'debian' }, not: { arch: 'arm64' } }, ['sid']],
  [{ labels: { arch: ['arm64', 'riscv64'] } }, ['arm']],
  [{ labels: ['gpu'] }, ['gpu']],
  [{ not: ['gpu'] }, ['sid', 'arm', 'plain']],
  [{ names: ['plain', 'arm'], labels: { os: 'debian' } }, ['plain', 'arm', 'sid']],
  [{ names: ['plain'] }, ['plain']],
  [{ labels: { os: 'debian', arch: 'amd64' } }, ['sid']],
])('workers: %j are those with the labels', (workers, names) => {
  const projects = [project('kate', { builders: [builder('debian', { workers, steps })] })];
  const check = checkConfig('hash', defineMaster({ title: 'T', workers: labelled, projects }));
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.projects[0]?.builders[0]?.workers).toEqual(names);
});

test.each<[unknown, string]>([
  [{ labels: { os: 'debain' } }, 'no worker has os=debain; correct the labels'],
  [{ labels: ['constructor'] }, 'no worker has constructor=true; correct the labels'],
  [{ labels: { os: ['a', 'b'] }, not: ['x'] }, 'no worker has os=a|b, not x=true; correct the labels'],
  [[], 'name at least one worker'],
  [{ names: [] }, 'name at least one worker'],
])('workers: %j, which nobody is, is told with its place', (workers, text) => {
  const projects = [{ ...kate, builders: [{ ...kate.builders[0]!, workers }] }];
  const exported = { ...defineMaster({ title: 'T', workers: labelled, projects: [] }), projects };
  expect(mistakes(exported)).toEqual([`project "kate", builder "debian", workers: ${text}`]);
});

test.each([{}, 'sid', { label: ['x'] }, { labels: { os: 5 } }, { labels: { 'no blanks': 'x' } }, { labels: 'gpu' }])(
  'workers: %j is no choice of workers, and the right ways are told',
  (workers) => {
    const projects = [{ ...kate, builders: [{ ...kate.builders[0]!, workers }] }];
    const told = mistakes({ ...defineMaster({ title: 'T', workers: labelled, projects: [] }), projects });
    expect(told.at(-1)).toMatch(
      /^project "kate", builder "debian", workers(, labels)?: write workers: \['sid'\], or \{ labels/,
    );
  },
);

test('hosts become their shape, and one that no worker names is a mistake', () => {
  const farm = (...hosts: ReturnType<typeof host>[]): unknown =>
    defineMaster({ title: 'T', hosts, workers: labelled, projects: [kate] });
  const check = checkConfig('hash', farm(host('vm1', { maxBuilds: 3, startSpacing: '30s' })));
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.hosts).toEqual([{ name: 'vm1', maxBuilds: 3, startSpacingMs: 30_000 }]);
  expect(check.shape.workers[1]).toEqual({
    name: 'arm',
    maxBuilds: 1,
    labels: { os: 'debian', arch: 'arm64' },
    startSpacingMs: 5_000,
  });
  expect(mistakes(farm(host('vm1'), host('vm1'), host('vm2', { maxBuilds: 1 })))).toEqual([
    'host "vm1" is there twice; remove or rename one',
    "host \"vm2\": no worker is there; write worker('…', { host: 'vm2' }) or correct the name",
  ]);
  expect(mistakes(farm(host('vm1', { startSpacing: 'soon' })))).toEqual([
    expect.stringMatching(/^host "vm1", startSpacing: "soon" is no duration/),
  ]);
});

test('tags and descriptions are kept as they are, and what is none is told', () => {
  const builders = [
    builder('debian', { workers: ['sid'], tags: ['gcc', 'C++:17', 'gcc'], description: '# Text\n', steps }),
  ];
  const projects = [project('kate', { description: '*Kate*', builders })];
  const check = checkConfig('hash', defineMaster({ title: 'T', workers: [sid], projects }));
  if ('mistakes' in check) throw new Error(check.mistakes.join());
  expect(check.shape.projects).toMatchObject([
    { description: '*Kate*', builders: [{ tags: ['gcc', 'C++:17'], description: '# Text\n' }] },
  ]);
  const place = 'project "kate", builder "debian"';
  const [debian] = kate.builders;
  expect(mistakes(withBuilder({ ...debian, tags: ['two words'], description: '' }))).toEqual([
    `${place}, description: write a text of 1 to 10000 characters`,
    `${place}, tags, 0: "two words" is no tag: a tag has 1 to 64 letters, digits and the characters ._-+:/, the first a letter or digit`,
  ]);
  expect(mistakes(withBuilder({ ...debian, tags: Array.from({ length: 51 }, (_, n) => `t${n}`) }))).toEqual([
    `${place}, tags: at most 50 tags`,
  ]);
});
