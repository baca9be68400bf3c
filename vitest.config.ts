import { defineConfig } from 'vitest/config';

const common = { environment: 'node', pool: 'forks' } as const;

/** Three kinds of tests; `unit` mirrors `src`, `contract` runs one suite over every implementation, `system` tells stories. */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          ...common,
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...common,
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          // Each story starts daemons of its own; one at a time keeps a small machine honest.
          fileParallelism: false,
        },
      },
    ],
  },
});
