import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { checkoutMistake } from '../../../src/config/steps/checkout-options.ts';
import type { CheckoutOptions } from '../../../src/config/steps/checkout-options.ts';
import { startGitHttp } from '../../support/git-http-server.ts';
import { startStockSshd } from '../../support/stock-sshd.ts';
import { isMissing } from '../../support/tools.ts';
import { commit, git, gotRevision, place } from './checkout-place.ts';
import { temporaryFolder } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const KEYS = '.git/trunkline.keys';

/** The secrets that options name are those of the master. */
const withSecrets = (options: string): string => options.replaceAll(/SECRET\((\w+)\)/g, "secret('$1')");

test.skipIf(isMissing('sshd', 'ssh-keygen'))(
  'a private repository is read over ssh by a key of the master, from no other host than that which is known, and no key is left',
  async () => {
    const sshd = await startStockSshd();
    try {
      const origin = await place();
      const revision = await commit(origin.repository, 'a', 'one');
      const url = `ssh://${sshd.user}@127.0.0.1:${sshd.port}${origin.repository}`;
      const key = await readFile(sshd.keyFile, 'utf8');
      const host = (await readFile(join(sshd.keyFile, '../host.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
      const known = `[127.0.0.1]:${sshd.port} ${host}`;
      const options = withSecrets(
        `url: '${url}', path: 'a b c', sshKey: SECRET(key), knownHosts: SECRET(known), retry: { times: 0, delay: '1s' }, submodules: true`,
      );
      const it = await place(options, { secrets: { key: key.trimEnd(), known } });
      // As a kill leaves it.
      await mkdir(join(it.folder, 'a b c', KEYS), { recursive: true });
      await writeFile(join(it.folder, 'a b c', KEYS, 'key'), key);
      expect(await it.checkout({ repository: url }), it.outputs.at(-1)).toEqual({ result: 'success' });
      expect(gotRevision(it)).toBe(revision);
      expect(await readdir(join(it.folder, 'a b c/.git'))).not.toContain('trunkline.keys');
      expect(JSON.stringify(it.calls)).not.toContain(key.split('\n')[1]);

      const stranger = `[127.0.0.1]:${sshd.port} ${(await readFile(`${sshd.keyFile}.pub`, 'utf8')).trim()}`;
      const other = await place(options, { secrets: { key, known: stranger } });
      expect(await other.checkout({ repository: url })).toMatchObject({ result: 'failure' });
      expect(other.outputs.at(-1)).toContain('Host key verification failed');
    } finally {
      await sshd.close();
    }
  },
);

test('a password is given to the server that asks for it, in no words of a process and in no file; a wrong one is told', async () => {
  const root = await temporaryFolder();
  const server = await startGitHttp(root, 'ci', 'pass word\'"$');
  try {
    const tree = join(root, 'tree');
    await mkdir(tree);
    await git(tree, 'init', '-q', '-b', 'main');
    const revision = await commit(tree, 'a', 'one');
    await git(root, 'clone', '-q', '--bare', tree, 'r.git');
    const url = `${server.url}/r.git`;
    const options = withSecrets(
      `url: '${url}', credentials: { user: 'ci', password: SECRET(pass) }, retry: { times: 0, delay: '1s' }`,
    );
    const it = await place(options, { secrets: { pass: 'pass word\'"$' } });
    expect(await it.checkout({ repository: url })).toEqual({ result: 'success' });
    expect(gotRevision(it)).toBe(revision);
    expect(server.users).toContain('ci');
    const words = it.calls.map((call) => (call.kind === 'run' ? call.args.command : ''));
    expect(JSON.stringify(words)).not.toContain('pass word');
    expect(await readFile(join(it.folder, '.git/config'), 'utf8')).not.toMatch(/pass|credential/);

    const wrong = await place(options, { secrets: { pass: 'wrong' } });
    expect(await wrong.checkout({ repository: url })).toMatchObject({ result: 'failure' });
    expect(wrong.outputs.at(-1)).toContain('Authentication failed');
  } finally {
    await server.close();
  }
});

test('a password is for http alone', async () => {
  const it = await place(withSecrets("credentials: { user: 'ci', password: SECRET(pass) }"), {
    secrets: { pass: 'unused' },
  });
  const report = await it.checkout();
  expect(report.result).toBe('exception');
  expect(report.summary).toContain('credentials are for http and https');
});

test.each([
  [{ sshKey: 'KEY' }, /sshKey is no secret; write secret\('NAME'\)/],
  [{ knownHosts: 1 }, /knownHosts is neither a text nor a secret/],
  [{ credentials: { user: 'ci', password: 'plain' } }, /credentials need a user and a secret/],
])('checkout(%o) is refused', (options, told) => {
  expect(checkoutMistake(options as unknown as CheckoutOptions)).toMatch(told);
});
