import { isMadeSecret, refsIn } from '../../model/secret.ts';

/** Throws when something in a value that is to be given away looks like a secret, and is only data. `what` names the value. */
export function checkSecrets(value: unknown, what: string): void {
  for (const ref of refsIn(value)) {
    if (isMadeSecret(ref)) continue;
    throw new TypeError(
      `${what} has something in it that looks like the secret ${JSON.stringify(ref.name.slice(0, 100))}, and came from elsewhere; write secret('NAME') in the configuration`,
    );
  }
}
