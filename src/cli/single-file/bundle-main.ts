/** Makes `dist/worker.mjs` of what tsc built: a whole worker in one file that needs nothing but Node, as `worker invite` hands it out. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { VERSION } from '../version.ts';

/** From `dist/src/cli/single-file`, where tsc puts this file. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));

await build({
  absWorkingDir: root,
  entryPoints: ['dist/src/cli/single-file/worker-main.js'],
  outfile: 'dist/worker.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  // Small on a slow line, and names in a stack stay readable.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 200,
  // Paths inside do not tell where it was built.
  preserveSymlinks: true,
  legalComments: 'eof',
  define: { TRUNKLINE_VERSION: JSON.stringify(VERSION) },
  // Native parts, which ssh2 and msgpackr do without where they are not there.
  external: ['*.node', 'cpu-features', 'msgpackr-extract'],
  // For packages that are CommonJS.
  banner: {
    js: `import { createRequire as bundledRequire } from 'node:module';
const require = bundledRequire(import.meta.url), __dirname = import.meta.dirname;`,
  },
  logLevel: 'warning',
});
