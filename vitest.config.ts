import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/support/closing-line-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Marks of logs on servers are nothing for the home of whoever runs the tests.
    env: { XDG_STATE_HOME: mkdtempSync(path.join(tmpdir(), 'verdict-state-')) },
    reporters: ['default', new ClosingLineReporter()],
  },
})
