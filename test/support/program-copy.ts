import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KEEPER_VERSION } from '../../src/worker/keeper/order-line.ts';
import { PROGRAM } from './farm.ts';

const ROOT = dirname(dirname(PROGRAM));

/** A change to a built file, so that the copy is another version: `find` must be there once. */
export interface Patch {
  /** Below `dist/src`. */
  readonly file: string;
  readonly find: string;
  readonly make: string;
}

/** Speaks the version after this one as well. */
export const NEXT_PROTOCOL: Patch = {
  file: 'protocol/version.js',
  find: 'PROTOCOLS = [1]',
  make: 'PROTOCOLS = [1, 2]',
};
export const NEXT_SH: Patch = {
  file: 'config/steps/sh.js',
  find: "meant ?? (ok ? 'success' : 'failure')",
  make: "meant ?? (ok ? 'warnings' : 'failure')",
};
/** One more migration, after all that are known. */
export const NEXT_SCHEMA: Patch = {
  file: 'store/sqlite/migrate.js',
  find: "import { MIGRATIONS } from './migrations.js';",
  make: `import { MIGRATIONS as KNOWN } from './migrations.js';
const MIGRATIONS = [...KNOWN, (schema) => schema.createTable('of_the_next', (table) => table.increments('id'))];`,
};
/** Keepers of both versions run beside each other. */
export const NEXT_KEEPER: Patch = {
  file: 'worker/keeper/order-line.js',
  find: `KEEPER_VERSION = ${KEEPER_VERSION};`,
  make: `KEEPER_VERSION = ${KEEPER_VERSION + 1};`,
};

/** Another installation of the built program. */
export interface ProgramCopy {
  /** What to call. */
  readonly program: string;
  readonly version: string;
  /** What `npm ci` does first: takes every file away, also from under running daemons. */
  remove(): Promise<void>;
}

/** Copies the built program into a folder that is not there yet; it finds its packages there by a link. */
export async function copyProgram(dir: string, version: string, patches: readonly Patch[] = []): Promise<ProgramCopy> {
  await mkdir(join(dir, 'dist'), { recursive: true });
  await cp(join(ROOT, 'dist/src'), join(dir, 'dist/src'), { recursive: true });
  await cp(join(ROOT, 'bin'), join(dir, 'bin'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as object;
  await writeFile(join(dir, 'package.json'), JSON.stringify({ ...manifest, version }));
  for (const { file, find, make } of patches) {
    const path = join(dir, 'dist/src', file);
    const text = await readFile(path, 'utf8');
    if (text.split(find).length !== 2) throw new Error(`${file} has not "${find}" once: the patch is out of date`);
    await writeFile(
      path,
      text.replace(find, () => make),
    );
  }
  return {
    program: join(dir, 'bin/trunkline.js'),
    version,
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}
