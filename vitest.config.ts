import { defineConfig } from 'vitest/config';

/** Only a hang reaches these, however busy the machine is. */
const UNIT_MS = 120_000;
const STORY_MS = 300_000;

/**
 * At the gate a test that failed is tried once more, and is named as FLAKY when it passes then: one race must not throw away
 * everybody's work, and must not hide either. Anywhere else a failure is a failure. See docs/decisions/0008-flaky-tests.md.
 */
const retry = process.env['CI'] ? 1 : 0;

/** Most of a test is waiting, so that also a machine of two cores has room for two files at a time. */
const FILES_AT_A_TIME = 2;

const common = { environment: 'node', pool: 'forks', retry, maxWorkers: FILES_AT_A_TIME } as const;

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
          testTimeout: UNIT_MS,
          hookTimeout: UNIT_MS,
        },
      },
      {
        test: {
          ...common,
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: UNIT_MS,
          hookTimeout: UNIT_MS,
        },
      },
      {
        test: {
          ...common,
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: STORY_MS,
          hookTimeout: STORY_MS,
          // Behind the others, which need a quieter machine than stories leave them.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
