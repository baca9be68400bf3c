import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test, vi } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.ts';
import { openCodeHost } from '../../../src/config/open-code-host.ts';
import { configOf, recordingLogger, tryConfig } from './try-config.ts';

// Threads and processes are real, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000 });

const DOCS = resolve(import.meta.dirname, '../../../docs');

test.each(['config.md', 'steps.md'])('every snippet of docs/%s can be loaded', async (page) => {
  const text = await readFile(join(DOCS, page), 'utf8');
  // Those that say `run` are built by a system test.
  const snippets = Array.from(text.matchAll(/^```ts( steps)?\n([\s\S]*?)^```$/gm));
  expect(snippets.length).toBeGreaterThanOrEqual(2);
  for (const [, kind, code = ''] of snippets) await tryConfig(kind ? configOf(code) : code);
});

test('every example can be loaded', async () => {
  const folder = join(DOCS, 'examples');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  expect(files).toContain('three-repositories.ts');
  const host = openCodeHost({ logger: recordingLogger() });
  try {
    for (const file of files) {
      const { shape } = await loadConfig(join(folder, file), host);
      expect(shape.projects.length).toBeGreaterThan(0);
    }
  } finally {
    await host.close();
  }
});
