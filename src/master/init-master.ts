import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { shellWord } from '../base/shell-word.ts';
import { NAME_RULE, isName } from '../model/names.ts';
import { formatPublicKey, makeKeyPair, parsePublicKeys } from '../transport/keys.ts';
import { masterPaths } from './master-dir.ts';
import type { Listen } from './master-dir.ts';

export interface InitMasterOptions {
  readonly listen: Listen;
  /** The first operator and the public key line(s) of theirs. */
  readonly operator: { readonly name: string; readonly key: string };
}

export interface MadeMaster {
  readonly hostKeyFingerprint: string;
  /** What to do next, in lines for a person. */
  readonly next: readonly string[];
}

const ROLE_FOLDERS = ['workers', 'readers', 'developers', 'operators'];
const FIRST_WORKER = 'first';

const CONFIG = `import { builder, defineMaster, force, project, sh, worker } from 'trunkline';

// One project with one builder, to try it out. docs/config.md describes all there is; after a change:
// trunkline master check DIR, then trunkline master reload DIR.
export default defineMaster({
  title: 'My farm',
  workers: [worker('${FIRST_WORKER}', { maxBuilds: 2 })],
  projects: [
    project('hello', {
      // source: git('https://git.example.org/hello.git'), with checkout() as the first step
      builders: [
        builder('hello', {
          workers: ['${FIRST_WORKER}'],
          steps: [sh('machine', 'uname -a'), sh('greet', 'echo "hello from $(hostname)"')],
        }),
      ],
      schedulers: [force()],
    }),
  ],
});
`;

const GITIGNORE = `# What must not leave this machine, and what only means something here.
host_key
host_key.next
state/
control.sock
master.log*
`;

/** Makes a master's folder, whose master can be started at once. Refuses a folder that holds anything. */
export async function initMaster(dir: string, options: InitMasterOptions): Promise<MadeMaster> {
  const { listen, operator } = options;
  if (!isName(operator.name)) {
    throw new UserMistake(`"${operator.name}" cannot be a name: ${NAME_RULE}; give one with --operator NAME`);
  }
  const operatorKeys = parsePublicKeys(operator.key, `the key of ${operator.name}`);
  await makeEmptyFolder(dir);
  const paths = masterPaths(dir);
  for (const role of ROLE_FOLDERS) await mkdir(join(paths.keysDir, role), { recursive: true });
  await mkdir(paths.stateDir, { mode: 0o700 });
  await writeFile(join(paths.keysDir, 'operators', `${operator.name}.pub`), lines(operatorKeys.map(formatPublicKey)));
  await writeFile(paths.config, CONFIG);
  await writeFile(join(dir, '.gitignore'), GITIGNORE);
  const key = makeKeyPair(`trunkline master ${hostname()}`);
  await writeFileAtomic(paths.publicHostKey, `${formatPublicKey(key.publicKey)}\n`);
  await writeFileAtomic(paths.hostKey, key.privateKey, 0o600);
  // Last: a folder with it is whole.
  await writeFileAtomic(paths.settings, `${JSON.stringify({ listen }, null, 2)}\n`);
  return { hostKeyFingerprint: key.fingerprint, next: nextLines(dir, options, key.fingerprint) };
}

async function makeEmptyFolder(dir: string): Promise<void> {
  let found: readonly string[];
  try {
    await mkdir(dir, { recursive: true, mode: 0o755 });
    found = await readdir(dir);
  } catch (error) {
    if (errorCode(error) === 'EEXIST' || errorCode(error) === 'ENOTDIR') {
      throw new UserMistake(`${dir} is no folder: give the path of a new or empty one`, { cause: error });
    }
    throw new UserMistake(`the folder ${dir} cannot be made: ${errorText(error)}`, { cause: error });
  }
  if (found.includes('master.json')) throw new UserMistake(`${dir} is a master's folder already: nothing was changed`);
  if (found.length > 0) {
    throw new UserMistake(`${dir} is not empty (it holds ${found[0] ?? ''}): give the path of a new or empty folder`);
  }
}

function nextLines(dir: string, { listen, operator }: InitMasterOptions, fingerprint: string): readonly string[] {
  const host = ['0.0.0.0', '::', ''].includes(listen.host) ? hostname() : listen.host;
  const port = listen.port === 0 ? 'PORT' : String(listen.port);
  const ssh = `ssh -p ${port} ${operator.name}@${host}`;
  const folder = shellWord(dir);
  return [
    `the master's folder is made: ${dir}`,
    `host key ${fingerprint} (workers and people compare it at their first connection)`,
    '',
    '1. start it:',
    `     trunkline master start ${folder} --detach`,
    '2. ask it something:',
    `     ${ssh} help`,
    '3. make a worker: paste the line that this prints on its machine',
    `     ${ssh} worker invite ${FIRST_WORKER} --host ${host}`,
    '4. the first build:',
    `     ${ssh} force hello/hello --wait`,
    '',
    `what it builds stands in ${join(dir, 'trunkline.config.ts')}`,
  ];
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
