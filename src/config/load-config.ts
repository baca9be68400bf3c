import { errorText, UserMistake } from '../base/errors.ts';
import { bundleConfig } from './bundle.ts';
import type { CodeHost } from './code-host.ts';
import type { ConfigShape } from './shape.ts';

export interface LoadedConfig {
  readonly hash: string;
  readonly bundle: Uint8Array;
  readonly shape: ConfigShape;
}

/** Bundles a configuration file, loads it into the thread and checks it; a `UserMistake` names the file and the place. */
export async function loadConfig(file: string, host: CodeHost): Promise<LoadedConfig> {
  const { hash, bytes } = await bundleConfig(file);
  try {
    return { hash, bundle: bytes, shape: await host.load(hash, bytes) };
  } catch (error) {
    if (!(error instanceof UserMistake)) throw error;
    throw new UserMistake(`${file}: ${errorText(error)}`, { cause: error });
  }
}
