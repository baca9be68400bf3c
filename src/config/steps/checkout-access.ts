import { isSecretRef } from '../../model/secret.ts';
import type { SecretRef } from '../../model/secret.ts';

/** How the server is reached. No value of a secret gets into words of a process, nor into the work tree. */
export interface CheckoutAccess {
  /** The private key for ssh. */
  readonly sshKey?: SecretRef;
  /** Lines of `known_hosts`: no other server is spoken to. Default: those of the worker's user. */
  readonly knownHosts?: string | SecretRef;
  /** For http and https: given to the host of the `url` alone, not to those of submodules. */
  readonly credentials?: { readonly user: string; readonly password: SecretRef };
}

/** Prints what is in its environment, which git asks for when the server wants a password. */
const HELPER =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$TRUNKLINE_GIT_USER" "$TRUNKLINE_GIT_PASSWORD"; }; f';

export function accessMistake({ sshKey, knownHosts, credentials }: CheckoutAccess): string | undefined {
  if (sshKey !== undefined && !isSecretRef(sshKey)) return "sshKey is no secret; write secret('NAME')";
  if (knownHosts !== undefined && typeof knownHosts !== 'string' && !isSecretRef(knownHosts)) {
    return "knownHosts is neither a text nor a secret; write lines of known_hosts, or secret('NAME')";
  }
  if (credentials === undefined) return undefined;
  const { user, password } = credentials;
  const isWhole = typeof user === 'string' && user !== '' && isSecretRef(password);
  return isWhole ? undefined : "credentials need a user and a secret; write { user: 'ci', password: secret('NAME') }";
}

/** The environment of the script. */
export function accessEnv({
  sshKey,
  knownHosts,
  credentials,
}: CheckoutAccess): Readonly<Record<string, string | SecretRef>> {
  return {
    ...(sshKey && { TRUNKLINE_GIT_KEY: sshKey }),
    ...(knownHosts !== undefined && { TRUNKLINE_GIT_KNOWN_HOSTS: knownHosts }),
    ...(credentials && { TRUNKLINE_GIT_USER: credentials.user, TRUNKLINE_GIT_PASSWORD: credentials.password }),
  };
}

/** Words of the script. Throws when the URL is none to which a password could be given. */
export function accessWords(url: string, { credentials }: CheckoutAccess): readonly string[] {
  if (!credentials) return [];
  const host = URL.canParse(url) ? new URL(url) : undefined;
  if (host?.protocol !== 'https:' && host?.protocol !== 'http:') {
    throw new TypeError(`credentials are for http and https, which ${url} is not; use sshKey, or leave them out`);
  }
  // The first empties the list: no helper of the worker's user is asked, nor told.
  return ['', HELPER].map((helper) => `config=credential.${host.origin}.helper=${helper}`);
}

/** Who reads by one secret shares nothing with those who have another one, or none. */
export function accessNames({ sshKey, credentials }: CheckoutAccess): readonly string[] {
  return [sshKey, credentials?.password].map((secret) => secret?.name ?? '');
}
