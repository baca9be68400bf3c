import { access, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { VERBS } from '../../../src/frontdoor/verbs/all.ts';
import { EXIT_STATUS } from '../../../src/model/result.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

async function documents(): Promise<readonly string[]> {
  const inDocs = await readdir(join(ROOT, 'docs'), { recursive: true });
  const all = [...(await readdir(ROOT)), ...inDocs.map((path) => join('docs', path)), 'keys.example/README.md'];
  return all.filter((path) => path.endsWith('.md'));
}

test('Every link of the documents points to a file that is there', async () => {
  const dead: string[] = [];
  for (const path of await documents()) {
    for (const [, target = ''] of (await read(path)).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      await access(join(ROOT, dirname(path), target)).catch(() => dead.push(`${path}: ${target}`));
    }
  }
  expect(dead).toEqual([]);
});

test('Each attack that SECURITY.md names has its test', async () => {
  const table = (await read('SECURITY.md'))
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  const missing: string[] = [];
  for (const line of table) {
    const tests = [...line.matchAll(/`(test\/[^`]+)`: ([^;|]+)/g)];
    if (tests.length === 0) missing.push(line);
    for (const [, path = '', words = ''] of tests) {
      const text = await read(path).catch(() => '');
      if (!text.includes(words.trim())) missing.push(`${path}: ${words}`);
    }
  }
  expect(table.length).toBeGreaterThan(15);
  expect(missing).toEqual([]);
});

test('A decision note has at most 40 lines', async () => {
  const long: string[] = [];
  for (const name of await readdir(join(ROOT, 'docs/decisions'))) {
    const lines = (await read(join('docs/decisions', name))).trimEnd().split('\n').length;
    if (lines > 40) long.push(`${name}: ${lines}`);
  }
  expect(long).toEqual([]);
});

test('A decision note has a number of its own, and its title says it', async () => {
  const names = await readdir(join(ROOT, 'docs/decisions'));
  const titles = await Promise.all(names.map(async (name) => (await read(join('docs/decisions', name))).slice(0, 8)));
  expect(titles).toEqual(names.map((name) => `# ${name.slice(0, 4)}: `));
  expect(new Set(titles).size).toBe(names.length);
});

test('The README asks the first configuration for what is in it', async () => {
  const readme = await read('README.md');
  const first = await read('src/master/init-master.ts');
  const [, builder = '', step = ''] = /log ([\w/]+)#1 (\w+)/.exec(readme) ?? [];
  expect(readme).toContain(`force ${builder} --wait`);
  for (const name of builder.split('/')) expect(first).toMatch(new RegExp(`(project|builder)\\('${name}'`));
  expect(first).toContain(`sh('${step}'`);
  const [, worker = ''] = /worker invite (\w+)/.exec(readme) ?? [];
  expect(first).toContain(`FIRST_WORKER = '${worker}'`);
});

test('The operating manual shows each verb as it is used, and each exit status', async () => {
  const manual = (await read('docs/operating.md')).replaceAll(String.raw`\|`, '|');
  expect(VERBS.map(({ usage }) => usage).filter((usage) => !manual.includes(`| \`${usage}\` |`))).toEqual([]);
  const statuses = new Set([...Object.values(EXIT_STATUS), 64, 66, 69, 70, 77]);
  const table = manual.slice(manual.indexOf('| exit status |'), manual.indexOf('### JSON'));
  expect(Array.from(statuses).filter((status) => !new RegExp(String.raw`\b${status}\b`).test(table))).toEqual([]);
});

test('The units of systemd start the programs that are there, and let the commands of a worker outlive it', async () => {
  for (const noun of ['master', 'worker']) {
    const unit = await read(`docs/examples/trunkline-${noun}.service`);
    expect(unit).toContain(`\nExecStart=/usr/local/bin/trunkline ${noun} start /`);
    expect(unit).toContain('\nRestart=always\n');
  }
  const worker = await read('docs/examples/trunkline-worker.service');
  for (const line of ['KillMode=process', 'Delegate=yes']) expect(worker).toContain(`\n${line}\n`);
  // What is removed when the daemon stops, or holds for builds too, is not set.
  expect(worker).not.toMatch(/^(PrivateTmp|RuntimeDirectory|NoNewPrivileges|ProtectSystem)=/m);
});
