import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { bundleConfig } from '../../../src/config/bundle.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { openCodeHost } from '../../../src/config/open-code-host.ts';
import { configOf, recordingLogger, temporaryFolder, tryConfig } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

async function write(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return join(folder, 'trunkline.config.ts');
}

const FILES = {
  'trunkline.config.ts': configOf('...steps', "import { steps } from './lib/steps.ts';"),
  'lib/steps.ts':
    "import { sh } from 'trunkline';\nimport words from './words.json' with { type: 'json' };\nimport shout from 'shout';\n" +
    'export const steps = words.map((word: string) => sh(shout(word), word));\n',
  'lib/words.json': '["configure", "make"]',
  'node_modules/shout/package.json': '{ "name": "shout", "main": "index.js" }',
  'node_modules/shout/index.js':
    "const { sep } = require('path');\nmodule.exports = (w) => w.toUpperCase() + sep.length;\n",
};

test('modules, JSON and packages beside the file become one bundle, the same in every folder', async () => {
  const file = await write(FILES);
  const log = recordingLogger();
  const host = openCodeHost({ logger: log });
  try {
    const { shape, hash, bundle } = await loadConfig(file, host);
    expect(shape.projects[0]?.builders[0]?.steps.map(({ name }) => name)).toEqual(['CONFIGURE1', 'MAKE1']);
    expect((await bundleConfig(await write(FILES))).hash).toBe(hash);
    expect(Buffer.from(bundle).toString()).not.toContain(dirname(file));
    const changed = { ...FILES, 'lib/words.json': '["configure", "make", "check"]' };
    expect((await bundleConfig(await write(changed))).hash).not.toBe(hash);
  } finally {
    await host.close();
  }
});

test.each<[string, string, RegExp]>([
  ['a syntax error', 'export default {\n  title: "T" "U",\n};\n', /trunkline\.config\.ts:2:14: Expected "}".*; /],
  ['a module that is not there', "import './nowhere.ts';\nexport default 1;\n", /:1:8: .*nowhere.*correct the path/],
  ['a package that is not there', "import 'no-such-package';\nexport default 1;\n", /npm install no-such-package/],
  ['no default export', 'export const x = 1;\n', /trunkline\.config\.ts.*export default defineMaster/],
])('%s is told in a line with its place and what to do', async (_what, text, told) => {
  const file = await write({ 'trunkline.config.ts': text });
  const error = await bundleConfig(file).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toMatchObject({ name: 'UserMistake', message: expect.stringMatching(told) });
  expect((error as Error).message).not.toMatch(/\n\s+at /);
});

test('a file that is not there is told so', async () => {
  const file = join(await temporaryFolder(), 'trunkline.config.ts');
  await expect(bundleConfig(file)).rejects.toThrow(`${file}: there is no such file`);
});

test('a configuration that throws is told with the line of its own source', async () => {
  await expect(tryConfig(configOf('', "\n\nthrow new Error('no list of modules');"))).rejects.toThrow(
    /trunkline\.config\.ts: the configuration threw while it was loaded; correct it: Error: no list of modules \(at trunkline\.config\.ts:4:7\)$/,
  );
});

test('a configuration that throws when it is looked at is told, too', async () => {
  const text = "export default { get title() { throw new Error('no title today'); } };";
  await expect(tryConfig(text)).rejects.toThrow(
    /the configuration threw while it was loaded; correct it: Error: no title today/,
  );
});

test('mistakes are told together, after the name of the file', async () => {
  const text = configOf("sh('make', 'make', { timeout: 'soon' }), sh('', 'x')");
  await expect(tryConfig(text)).rejects.toThrow(
    /trunkline\.config\.ts: 2 mistakes:\n {2}project "kate".*\n {2}project/,
  );
});
