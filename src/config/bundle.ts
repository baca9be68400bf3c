import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, extname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, stop } from 'esbuild';
import type { BuildFailure, Message, Plugin } from 'esbuild';
import { errorCode, errorText, UserMistake } from '../base/errors.ts';

export interface Bundle {
  /** SHA-256 of the bytes. */
  readonly hash: string;
  readonly bytes: Uint8Array;
}

const OWN_FILE = fileURLToPath(import.meta.url);
const OWN_EXTENSION = extname(OWN_FILE);
const SRC = dirname(dirname(OWN_FILE));
const RUNTIME = 'trunkline';
/** Stands before the file, and wants its default export. */
const ENTRY = 'configuration';

/** CommonJS packages ask for Node's own modules with `require`, which a module has not. */
const BANNER = `import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire('/');`;

/**
 * The bundle's own part: what `trunkline` exports, from beside this file, so that built-in steps are versioned with the
 * configuration. Its files are named from our `src`, never from where this machine has them: the hash must not tell.
 */
const runtime: Plugin = {
  name: 'trunkline-runtime',
  setup(bundler) {
    bundler.onResolve({ filter: /^trunkline$/ }, () => ({ path: 'index', namespace: RUNTIME }));
    bundler.onResolve({ filter: /^\.\.?\//, namespace: RUNTIME }, ({ path, importer }) => ({
      path: posix.join(posix.dirname(importer), path).replace(/\.[jt]s$/, ''),
      namespace: RUNTIME,
    }));
    bundler.onLoad({ filter: /.*/, namespace: RUNTIME }, async ({ path }) => {
      const contents = await readFile(`${SRC}/${path}${OWN_EXTENSION}`, 'utf8');
      return {
        contents: contents.replace(/^\/\/# sourceMappingURL=.*$/m, ''),
        loader: OWN_EXTENSION === '.ts' ? 'ts' : 'js',
      };
    });
  },
};

let inFlight = 0;

/**
 * Makes one ESM file of a configuration, the local modules and packages it imports, and our configuration API. The same
 * sources give the same bytes on every machine. Rejects with a `UserMistake` that names file, line and column.
 */
export async function bundleConfig(file: string): Promise<Bundle> {
  const entry = await realpath(file).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw new UserMistake(`${file}: ${errorText(error)}`, { cause: error });
    throw new UserMistake(`${file}: there is no such file; write a configuration there, see docs/config.md`, {
      cause: error,
    });
  });
  inFlight += 1;
  try {
    const { outputFiles } = await build({
      stdin: {
        contents: `export { default } from './${basename(entry)}';\n`,
        resolveDir: dirname(entry),
        sourcefile: ENTRY,
      },
      absWorkingDir: dirname(entry),
      outdir: dirname(entry),
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      sourcemap: 'inline',
      sourcesContent: false,
      banner: { js: BANNER },
      plugins: [runtime],
      // A tsconfig.json that happens to lie above the file must not change what it means.
      tsconfigRaw: '{}',
    });
    const bytes = outputFiles[0]?.contents;
    if (!bytes) throw new Error('esbuild made no file');
    return { hash: createHash('sha256').update(bytes).digest('hex'), bytes };
  } catch (error) {
    if (isBuildFailure(error)) throw new UserMistake(tell(file, error.errors), { cause: error });
    throw error;
  } finally {
    inFlight -= 1;
    // A master runs for months: esbuild's service process is not kept for the next reload.
    if (inFlight === 0) await stop();
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

const SHOWN_ERRORS = 5;

function tell(file: string, errors: readonly Message[]): string {
  const lines = errors.slice(0, SHOWN_ERRORS).map((error) => tellOne(file, error));
  const more = errors.length - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function tellOne(file: string, { text, location, notes }: Message): string {
  if (location?.file === ENTRY)
    return `${file}: it exports no configuration: end it with \`export default defineMaster({ … })\``;
  const missing = /^Could not resolve "(.+)"/.exec(text)?.[1];
  const advice = missing === undefined ? adviceOf(notes) : adviceFor(missing, dirname(file));
  if (!location) return `${file}: ${text}${advice}`;
  const at = location.file === basename(file) ? file : location.file;
  const code = location.lineText.trim();
  return `${at}:${location.line}:${location.column + 1}: ${text}${code && `, in: ${code}`}${advice}`;
}

function adviceFor(missing: string, folder: string): string {
  return /^[./]/.test(missing)
    ? '; correct the path (it is relative to the file that imports it)'
    : `; install it beside the configuration (npm install ${missing} in ${folder}), or correct the name`;
}

function adviceOf(notes: Message['notes']): string {
  const note = notes[0]?.text;
  return note ? `; ${note}` : '; correct it and try again';
}
