import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { BuildView } from '../../../src/master/views/build.ts';
import type { RequestView } from '../../../src/master/views/request.ts';
import { Html, html } from '../../../src/web/html.ts';
import { CONTENT_POLICY } from '../../../src/web/pages/page.ts';
import { signInPage } from '../../../src/web/pages/sign-in-pages.ts';
import { statusPage } from '../../../src/web/pages/status-page.ts';

const HOSTILE = `<script>alert("1")</script>'&\u202e\u001b[2J`;

test('text in a page is escaped, and what would turn a line around is shown', () => {
  const { text } = html`<p title="${HOSTILE}">${HOSTILE} ${[html`<b>${1}</b>`, HOSTILE]} ${new Html('<i>')}</p>`;
  for (const raw of ['<script', '"1', "'&", '\u202e', '\u001b']) expect(text).not.toContain(raw);
  expect(text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;\\u202e\\x1b[2J');
  expect(text).toContain('<b>1</b>');
  expect(text).toContain('<i></p>');
});

test('the policy lets the style of a page pass', () => {
  const style = /<style>([\s\S]*)<\/style>/.exec(signInPage())?.[1] ?? '';
  expect(style).toContain('color-scheme: light dark');
  expect(CONTENT_POLICY).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
});

test('the status page shows hostile names as text wherever they stand', () => {
  const text = HOSTILE;
  // Only what the page may show.
  const build = {
    id: 1,
    number: 2,
    request: 3,
    retryOf: null,
    retriedAs: null,
    parent: null,
    children: [],
    tests: null,
    rebuildOf: null,
    rebuiltAs: [],
    result: null,
    summary: text,
    project: text,
    builder: text,
    worker: text,
    workerAway: null,
    heldBack: text,
    reason: text,
    owner: text,
    branch: text,
    revision: text,
    startedAtMs: 1_000,
    finishedAtMs: null,
    steps: [],
    properties: [],
    state: 'running',
  } as unknown as BuildView;
  const request = {
    id: 1,
    project: text,
    builder: text,
    owner: text,
    submittedAtMs: 1_000,
    retryOf: null,
    waitsFor: text,
  } as unknown as RequestView;
  const worker = { name: text, state: text, sinceMs: 1_000, builds: [], maxBuilds: 1, held: text, heldBack: text };
  const page = statusPage(
    { name: text, role: 'reader' },
    {
      title: text,
      configHash: 'c0ffee',
      running: [build],
      troubles: [],
      waiting: [request],
      workers: { connected: 0, configured: 1 },
    },
    [worker as unknown as Parameters<typeof statusPage>[2][number]],
  );
  for (const raw of ['<script', '\u202e', '\u001b']) expect(page).not.toContain(raw);
  expect(page.match(/&lt;script&gt;/g)?.length).toBeGreaterThanOrEqual(10);
  expect(page).toContain('0 of 1 workers connected');
});
