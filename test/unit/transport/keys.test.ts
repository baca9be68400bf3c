import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, describe, expect, it } from 'vitest';
import { isSameKey, loadPrivateKey, makeKeyPair, parsePublicKeys } from '../../../src/transport/keys.ts';

const KEYS = new URL('../../../dist/src/transport/keys.js', import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), 'tl-keys-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('keys', () => {
  it('are all good in both halves (ssh2 makes one in 160 that is not)', () => {
    for (let i = 0; i < 500; i++) {
      const key = makeKeyPair('a comment');
      const secret = ssh2.utils.parseKey(key.privateKey);
      const open = ssh2.utils.parseKey(key.publicKeyLine);
      if (secret instanceof Error || open instanceof Error) throw new Error('unparsable');
      expect(secret.getPublicSSH().equals(open.getPublicSSH())).toBe(true);
      if (i % 50 === 0) expect(open.verify('text', secret.sign('text'))).toBe(true);
    }
  });

  it('are made while garbage is collected at every turn, which stops Node 20 for ever where they come from its JWK form', () => {
    const makeMany = `import { makeKeyPair } from ${JSON.stringify(KEYS)}; for (let i = 0; i < 5_000; i++) makeKeyPair('c');`;
    const args = ['--gc-interval=29', '--input-type=module', '-e', makeMany];
    execFileSync(process.execPath, args, { timeout: 60_000, killSignal: 'SIGKILL' });
  });

  it('are read by OpenSSH, with the same fingerprint', async () => {
    const key = makeKeyPair('somebody@here');
    const path = join(dir, 'made');
    writeFileSync(path, key.privateKey, { mode: 0o600 });
    expect(execFileSync('ssh-keygen', ['-l', '-f', path], { encoding: 'utf8' })).toContain(key.fingerprint);
    expect(execFileSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8' }).trim()).toBe(key.publicKeyLine);
    expect((await loadPrivateKey(path)).fingerprint).toBe(key.fingerprint);
  });

  it('of ssh-keygen are read; those with a passphrase are refused with what to do', async () => {
    const path = join(dir, 'theirs');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'c', '-f', path]);
    expect(execFileSync('ssh-keygen', ['-l', '-f', path], { encoding: 'utf8' })).toContain(
      (await loadPrivateKey(path)).fingerprint,
    );
    const locked = join(dir, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', locked]);
    await expect(loadPrivateKey(locked)).rejects.toThrow('ssh-keygen -p');
    await expect(loadPrivateKey(`${path}.pub`)).rejects.toThrow('holds no OpenSSH private key');
    await expect(loadPrivateKey(join(dir, 'none'))).rejects.toThrow('there is no key');
  });

  it('come several to a file, with comments and empty lines', () => {
    const [a, b] = [makeKeyPair('first key'), makeKeyPair('')];
    const text = `# ours\n\n${a.publicKeyLine}\r\n   ${b.publicKeyLine}   \n`;
    expect(parsePublicKeys(text)).toEqual([a.publicKey, b.publicKey]);
    for (const [type, bits] of [
      ['ecdsa', '256'],
      ['rsa', '2048'],
    ] as const) {
      const path = join(dir, type);
      execFileSync('ssh-keygen', ['-q', '-t', type, '-b', bits, '-N', '', '-f', path]);
      expect(parsePublicKeys(execFileSync('cat', [`${path}.pub`], { encoding: 'utf8' }))).toHaveLength(1);
    }
  });

  it.each([
    ['', 'holds no public key'],
    ['# nothing\n', 'holds no public key'],
    ['LINE with\nhello there', 'line 2'],
    ['command="rm -rf /" LINE', 'options'],
    ['restrict LINE', 'options'],
    ['CUT', 'damaged'],
    ['ssh-rsa BLOB', 'damaged'],
    ['ssh-dss AAAAB3NzaC1kc3M=', 'no key type'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', '.pub'],
    ['LONG', 'too long'],
    ['__proto__ BLOB', 'no key type'],
  ])('refuses %j', (text, message) => {
    const key = makeKeyPair('k');
    const given = text
      .replace('LINE', key.publicKeyLine)
      .replace('CUT', key.publicKeyLine.slice(0, 50))
      .replace('BLOB', key.publicKey.blob)
      .replace('LONG', 'x'.repeat(100_000));
    expect(() => parsePublicKeys(given, 'ann.pub')).toThrow(message);
  });

  it('are compared whole', () => {
    const [a, b] = [makeKeyPair('').publicKey.blob, makeKeyPair('').publicKey.blob];
    expect(isSameKey(a, a)).toBe(true);
    expect(isSameKey(a, b)).toBe(false);
    expect(isSameKey(a, '')).toBe(false);
  });
});
