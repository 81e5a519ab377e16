import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two files at once on the smallest machine that is meant; the default there is one.
    maxWorkers: 2,
    // Only what hangs is ended: how long something takes is no test's business.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/state-directory.ts', 'test/support/built-monitor.ts', 'test/support/compiled-code.ts'],
    reporters: ['default', new ClosingLineReporter()],
  },
})
