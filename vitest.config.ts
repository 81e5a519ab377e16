import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts'
import { LongestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // One more than the smallest machine that is meant has cores: a file that waits for a disk or a process leaves one idle.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Only what hangs is ended: how long something takes is no test's business.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ['test/support/state-directory.ts', 'test/support/built-monitor.ts', 'test/support/compiled-code.ts'],
    reporters: ['default', new ClosingLineReporter()],
  },
})
