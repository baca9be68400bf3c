import { createRequire } from 'node:module';

/** Put in by the bundler of the single file, which has no manifest beside it. */
declare const TRUNKLINE_VERSION: string | undefined;

export const VERSION = typeof TRUNKLINE_VERSION === 'string' ? TRUNKLINE_VERSION : readManifest();

function readManifest(): string {
  return (createRequire(import.meta.url)('../../../package.json') as { readonly version: string }).version;
}
