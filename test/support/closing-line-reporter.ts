import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends the output with one plain line, `N passed, N failed, N skipped`; before it names each test that passed only when it was
 * tried again (see docs/decisions on flaky tests), so that none hides.
 */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let failedTests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') count.passed += 1;
        else if (state === 'skipped') count.skipped += 1;
        else failedTests += 1;
        if (test.diagnostic()?.flaky)
          console.log(`FLAKY, passed only when tried again: ${module.moduleId} > ${test.fullName}`);
      }
      // A file that could not be loaded, or whose hooks failed, has no failed test of its own.
      count.failed += failedTests > 0 ? failedTests : module.ok() ? 0 : 1;
    }
    console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  }
}
