import { createPublicKey, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { keyProofText } from '../../../src/protocol/key-proof.ts';
import { provenKey, proveKey } from '../../../src/transport/key-proof.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';

const PLACE = { masterId: 'm', worker: 'w', installId: 'i', processId: 'p', epoch: 7 };

test('a key that is proven for a connection is taken there', () => {
  const key = makeKeyPair('next');
  const proven = proveKey('key.new', key, PLACE);
  expect(proven && provenKey('key.new', proven, PLACE)?.blob).toBe(key.publicKey.blob);
});

test('the proof is plain Ed25519 over the lines that the page of the protocol names', () => {
  const key = makeKeyPair('next');
  const proven = proveKey('hostkeys', key, PLACE);
  const spki = Buffer.concat([
    Buffer.from('302a300506032b6570032100', 'hex'),
    Buffer.from(key.publicKey.blob, 'base64').subarray(-32),
  ]);
  const text = `trunkline\nhostkeys\nm\nw\ni\np\n7\nssh-ed25519 ${key.publicKey.blob}`;
  expect(keyProofText('hostkeys', proven?.publicKey ?? '', PLACE)).toBe(text);
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  expect(verify(null, Buffer.from(text), publicKey, proven?.signature ?? new Uint8Array())).toBe(true);
});

test('a proof holds for its message, its connection and its key alone', () => {
  const [key, other] = [makeKeyPair('next'), makeKeyPair('other')];
  const proven = proveKey('key.new', key, PLACE) as NonNullable<ReturnType<typeof proveKey>>;
  expect(provenKey('hostkeys', proven, PLACE)).toBeUndefined();
  for (const changed of [{ epoch: 8 }, { masterId: 'n' }, { worker: 'v' }, { installId: 'j' }, { processId: 'q' }]) {
    expect(provenKey('key.new', proven, { ...PLACE, ...changed })).toBeUndefined();
  }
  const stolen = `${other.publicKey.type} ${other.publicKey.blob}`;
  expect(provenKey('key.new', { ...proven, publicKey: stolen }, PLACE)).toBeUndefined();
  for (const publicKey of ['', 'ssh-ed25519', `${proven.publicKey} w`, `${proven.publicKey}\n${stolen}`]) {
    expect(provenKey('key.new', { ...proven, publicKey }, PLACE)).toBeUndefined();
  }
  expect(provenKey('key.new', { ...proven, signature: new Uint8Array(64) }, PLACE)).toBeUndefined();
  expect(provenKey('key.new', { ...proven, signature: new Uint8Array(0) }, PLACE)).toBeUndefined();
});
