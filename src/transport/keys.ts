import { createHash, createPrivateKey, createPublicKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { UserMistake, errorCode, errorText } from '../base/errors.ts';
import { SshReader, sshString, sshUint32 } from './ssh-wire.ts';

/** One public key as in an `authorized_keys` line. */
export interface SshPublicKey {
  readonly type: string;
  /** Base 64. */
  readonly blob: string;
  readonly comment: string;
}

/** A private key with its public half. */
export interface SshPrivateKey {
  /** The file's text, in OpenSSH's format. */
  readonly privateKey: string;
  readonly publicKey: SshPublicKey;
  /** As a `.pub` file holds it, without a newline. */
  readonly publicKeyLine: string;
  /** `SHA256:…` as ssh-keygen -l prints it. */
  readonly fingerprint: string;
}

/** Strings inside the blob after the type: what a whole key of this type has. No ssh-dss; ssh-rsa signs with SHA-2 only. */
const PARTS: ReadonlyMap<string, number> = new Map([
  ['ssh-ed25519', 1],
  ['ecdsa-sha2-nistp256', 2],
  ['ecdsa-sha2-nistp384', 2],
  ['ecdsa-sha2-nistp521', 2],
  ['ssh-rsa', 2],
]);
const ED25519 = 'ssh-ed25519';
/** What stands before the 32 bytes of an ed25519 key in PKCS #8 (RFC 8410, section 7). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const MAGIC = 'openssh-key-v1\0';
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const MAX_KEY_FILE_BYTES = 64 * 1024;
const MAX_LINE = 16 * 1024;

/**
 * Makes an ed25519 key: any 32 random bytes are one (RFC 8032, section 5.1.5). Not by ssh2's generator, whose keys cannot always be
 * parsed (ssh2#1513), and not by Node's: to export a key as JWK holds a lock that the collection of the job which made
 * the key wants too, so a garbage collection in that moment stops the process for ever (seen on Node 20.20).
 */
export function makeKeyPair(comment: string): SshPrivateKey {
  const seed = randomBytes(32);
  const privateKey = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const point = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  const blob = Buffer.concat([sshString(ED25519), sshString(point)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    sshString(ED25519),
    sshString(point),
    sshString(Buffer.concat([seed, point])),
    sshString(comment),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, index) => index + 1));
  const body = Buffer.concat([
    Buffer.from(MAGIC),
    sshString('none'),
    sshString('none'),
    sshString(''),
    sshUint32(1),
    sshString(blob),
    sshString(Buffer.concat([secret, padding])),
  ]);
  const lines = body.toString('base64').match(/.{1,70}/g) ?? [];
  return described([BEGIN, ...lines, END, ''].join('\n'), blob, comment);
}

/** Reads the text of a private key without a passphrase; `where` names it in messages. */
export function parsePrivateKey(text: string, where: string): SshPrivateKey {
  const body = text.split(BEGIN)[1]?.split(END)[0];
  if (body === undefined) {
    throw new UserMistake(`${where} holds no OpenSSH private key; make one with: ssh-keygen -t ed25519`);
  }
  const bytes = Buffer.from(body, 'base64');
  const damaged = new UserMistake(`${where} holds a damaged private key`);
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) throw damaged;
  const reader = new SshReader(bytes.subarray(MAGIC.length));
  const cipher = reader.string();
  reader.string();
  reader.string();
  const count = reader.uint32();
  const blob = reader.string();
  const secret = reader.string();
  if (!cipher || count !== 1 || !blob || !secret) throw damaged;
  if (cipher.toString() !== 'none') {
    throw new UserMistake(
      `${where} is protected by a passphrase, which a daemon cannot type; remove it with: ssh-keygen -p`,
    );
  }
  const type = blobType(blob);
  if (type === undefined) throw damaged;
  return described(text, blob, '');
}

export async function loadPrivateKey(path: string): Promise<SshPrivateKey> {
  try {
    return parsePrivateKey(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof UserMistake) throw error;
    const missing = errorCode(error) === 'ENOENT';
    throw new UserMistake(missing ? `there is no key ${path}` : `the key ${path} cannot be read: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function described(privateKey: string, blob: Buffer, comment: string): SshPrivateKey {
  const publicKey = { type: blobType(blob) ?? '', blob: blob.toString('base64'), comment };
  return { privateKey, publicKey, publicKeyLine: formatPublicKey(publicKey), fingerprint: fingerprint(publicKey) };
}

export function formatPublicKey(key: SshPublicKey): string {
  return `${key.type} ${key.blob}${key.comment === '' ? '' : ` ${key.comment}`}`;
}

/**
 * The keys of a `.pub` or `authorized_keys` text: a key a line, empty lines and comments allowed, options refused (they
 * would promise what this server does not do). Throws a UserMistake that names the line.
 */
export function parsePublicKeys(text: string, where?: string): readonly SshPublicKey[] {
  const at = where === undefined ? '' : `${where}, `;
  if (text.length > MAX_KEY_FILE_BYTES) throw new UserMistake(`${where ?? 'the text'} is too long for public keys`);
  const keys: SshPublicKey[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line !== '' && !line.startsWith('#')) keys.push(parseLine(line, `${at}line ${index + 1}`));
  }
  if (keys.length === 0) throw new UserMistake(`${where ?? 'the text'} holds no public key`);
  return keys;
}

function parseLine(line: string, where: string): SshPublicKey {
  if (line.length > MAX_LINE) throw new UserMistake(`${where}: too long for a public key`);
  if (line.startsWith('-----BEGIN')) {
    throw new UserMistake(`${where}: this is no public key but the begin of another file; give the .pub file`);
  }
  const words = line.split(/\s+/);
  const [type = '', blob = '', ...comment] = words;
  if (!PARTS.has(type)) {
    const later = words.find((word) => PARTS.has(word));
    if (later !== undefined) {
      throw new UserMistake(`${where}: options before a key are not supported; let the line begin with ${later}`);
    }
    throw new UserMistake(`${where}: "${printable(type)}" is no key type that is accepted (best: ssh-ed25519)`);
  }
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== blob.replace(/=+$/, '') || blobType(bytes) !== type) {
    throw new UserMistake(`${where}: the key is damaged or cut off; copy the whole line of the .pub file`);
  }
  return { type, blob: bytes.toString('base64'), comment: printable(comment.join(' ')) };
}

/** Whether a key that came over the wire is one that we accept. */
export function isWholeKey({ type, blob }: { readonly type: string; readonly blob: string }): boolean {
  return blobType(Buffer.from(blob, 'base64')) === type;
}

/** The type inside a blob, if the blob is whole and of a type we accept. */
function blobType(blob: Buffer): string | undefined {
  const reader = new SshReader(blob);
  const type = reader.string()?.toString('latin1') ?? '';
  const parts = PARTS.get(type);
  if (parts === undefined) return undefined;
  for (let i = 0; i < parts; i++) {
    const part = reader.string();
    if (!part || part.length === 0 || (type === ED25519 && part.length !== 32)) return undefined;
  }
  return reader.isAtEnd ? type : undefined;
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').slice(0, 200);
}

/** `SHA256:…`, as OpenSSH prints it. */
export function fingerprint(key: { readonly blob: string | Uint8Array }): string {
  const bytes = typeof key.blob === 'string' ? Buffer.from(key.blob, 'base64') : key.blob;
  return `SHA256:${createHash('sha256').update(bytes).digest('base64').replace(/=+$/, '')}`;
}

/** Compares two blobs (base 64) in a time that does not depend on where they differ. */
export function isSameKey(a: string, b: string): boolean {
  const digest = (blob: string): Buffer => createHash('sha256').update(Buffer.from(blob, 'base64')).digest();
  return timingSafeEqual(digest(a), digest(b));
}
