import ssh2 from 'ssh2';
import { keyProofText } from '../protocol/key-proof.ts';
import type { KeyProofPlace } from '../protocol/key-proof.ts';
import type { SshPrivateKey, SshPublicKey } from './keys.ts';
import { parsePublicKeys } from './keys.ts';

/** A new key as it is sent, with the proof that the sender has its private half. */
export interface ProvenKey {
  readonly publicKey: string;
  readonly signature: Uint8Array;
}

/** Both ends make new keys of this type alone, so that a proof is the same 64 bytes for all. */
const TYPE = 'ssh-ed25519';

/** Undefined for a key of another type, which cannot be proven here. */
export function proveKey(
  message: 'key.new' | 'hostkeys',
  { privateKey, publicKey }: SshPrivateKey,
  place: KeyProofPlace,
): ProvenKey | undefined {
  if (publicKey.type !== TYPE) return undefined;
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const told = `${publicKey.type} ${publicKey.blob}`;
  return { publicKey: told, signature: Uint8Array.from(parsed.sign(keyProofText(message, told, place))) };
}

/** The key, when its proof is right for this connection. */
export function provenKey(
  message: 'key.new' | 'hostkeys',
  { publicKey, signature }: ProvenKey,
  place: KeyProofPlace,
): SshPublicKey | undefined {
  const key = readKey(publicKey);
  if (!key) return undefined;
  const parsed = ssh2.utils.parseKey(Buffer.from(key.blob, 'base64'));
  if (parsed instanceof Error) return undefined;
  // It may answer an Error, which is truthy.
  const verdict: unknown = parsed.verify(keyProofText(message, publicKey, place), Buffer.from(signature));
  return verdict === true ? key : undefined;
}

/** One of the right type and form, alone and without a comment: what was signed is what is kept. */
function readKey(publicKey: string): SshPublicKey | undefined {
  try {
    const [key, ...more] = parsePublicKeys(publicKey);
    return key?.type === TYPE && more.length === 0 && publicKey === `${key.type} ${key.blob}` ? key : undefined;
  } catch {
    // No key at all proves nothing, like one that is not its sender's.
    return undefined;
  }
}
