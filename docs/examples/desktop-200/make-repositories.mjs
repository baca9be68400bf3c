#!/usr/bin/env node
/**
 * usage: node make-repositories.mjs COUNT FOLDER
 *
 * Makes the first COUNT modules of a desktop, at most 1,000: FOLDER/repositories/NAME.git, each with a short history, and
 * FOLDER/modules.json, what `trunkline.config.ts` beside this file reads. The same ones every time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { plan } from './plan.mjs';
import { history } from './sources.mjs';

const PEOPLE = ['Ada <ada@example.org>', 'Grace <grace@example.org>', 'Linus <linus@example.org>'];
/** The first commit's, in seconds of Unix time; the others follow a day apart. */
const BEGIN = 1_760_000_000;
const DAY = 86_400;
const EXECUTABLE = new Set(['configure', 'tests/run']);
const GITS_AT_A_TIME = 4;

const [words, folder] = process.argv.slice(2);
const count = Number(words);
if (!Number.isInteger(count) || count < 1 || count > 1_000 || folder === undefined) {
  process.stderr.write('usage: node make-repositories.mjs COUNT FOLDER (COUNT from 1 to 1000)\n');
  process.exit(64);
}
const repositories = resolve(folder, 'repositories');
const modules = plan(count);
await mkdir(repositories, { recursive: true });
const waiting = modules.entries();
await Promise.all(
  Array.from({ length: GITS_AT_A_TIME }, async () => {
    for (const [index, module] of waiting) await makeRepository(module, index);
  }),
);
const list = modules.map(({ name, role, dependsOn }) => ({ name, role, dependsOn }));
await writeFile(resolve(folder, 'modules.json'), `${JSON.stringify({ repositories, modules: list }, undefined, 2)}\n`);
process.stdout.write(`${count} repositories in ${repositories}\n`);

async function makeRepository(module, index) {
  const dir = join(repositories, `${module.name}.git`);
  await rm(dir, { recursive: true, force: true });
  await git(['init', '-q', '--bare', '-b', 'main', dir]);
  const commits = history(module).map(({ message, files }, nth) => {
    const who = PEOPLE[(index + nth) % PEOPLE.length];
    const entries = Object.entries(files).map(
      ([path, text]) => `M ${EXECUTABLE.has(path) ? '100755' : '100644'} inline ${path}\n${data(text)}`,
    );
    return `commit refs/heads/main\ncommitter ${who} ${BEGIN + nth * DAY} +0000\n${data(message)}${entries.join('')}\n`;
  });
  await git(['-C', dir, 'fast-import', '--quiet'], commits.join(''));
}

/** Text as git's fast-import reads it (git-fast-import(1), "data"). */
function data(text) {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

async function git(args, input) {
  const child = spawn('git', args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'inherit', 'inherit'] });
  child.stdin?.end(input);
  const [status] = await once(child, 'exit');
  if (status !== 0) throw new Error(`git ${args.join(' ')} ended with ${status}`);
}
