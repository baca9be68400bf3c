import { secretRef } from '../../model/secret.ts';
import type { SecretRef } from '../../model/secret.ts';
import type { Duration } from '../step-context.ts';

interface SecretUse {
  /** Projects whose builds may be given it. */
  readonly projects: readonly string[] | 'all';
  /** Also builds of what is untrusted, such as pull requests of forks; default: never. */
  readonly forks?: boolean;
}

export interface SecretFile extends SecretUse {
  readonly kind: 'secretFile';
  /** Relative to the master's folder, or absolute; read at each use. */
  readonly path: string;
}

export interface SecretEnv extends SecretUse {
  readonly kind: 'secretEnv';
  readonly variable: string;
}

export interface SecretCommand extends SecretUse {
  readonly kind: 'secretCommand';
  readonly argv: readonly string[];
  /** It is ended after so long; default `30s`. */
  readonly timeout?: Duration;
}

export type SecretConfig = SecretFile | SecretEnv | SecretCommand;

/** The content of a file of the master, mode 600, without one newline at its end. */
export function secretFile(path: string, use: Omit<SecretFile, 'kind' | 'path'>): SecretFile {
  return { ...use, kind: 'secretFile', path };
}

/** A variable of the master's own environment. */
export function secretEnv(variable: string, use: Omit<SecretEnv, 'kind' | 'variable'>): SecretEnv {
  return { ...use, kind: 'secretEnv', variable };
}

/** What a program prints that is run on the master without a shell, without one newline at its end. */
export function secretCommand(argv: readonly string[], use: Omit<SecretCommand, 'kind' | 'argv'>): SecretCommand {
  return { ...use, kind: 'secretCommand', argv };
}

/** Stands for the value of one of the `secrets`, which the configuration itself never sees. */
export function secret(name: string): SecretRef {
  return secretRef(name);
}
