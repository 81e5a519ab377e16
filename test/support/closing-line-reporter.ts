import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends a run with one plain line, `N passed, N failed, N skipped`, which CI reads. With VERDICT_SKIPS_FAIL=1 a skipped
 * test is named and fails the run: on a machine that has everything, nothing is left out but what needs a server. What was lost
 * with its process has failed.
 */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 }
    const skipped: { readonly name: string; readonly needsServer: string | undefined }[] = []
    for (const module of modules) {
      // A file that could not be collected has failed, though it has no test that did.
      if (module.errors().length > 0 || module.state() === 'queued') count.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        const name = `${module.relativeModuleId} > ${test.fullName}`
        if (state === 'skipped') skipped.push({ name, needsServer: test.meta().needsServer })
        else if (state === 'pending') {
          count.failed++
          process.stdout.write(`LOST with its process: ${name}\n`)
        } else count[state]++
      }
    }
    count.skipped = skipped.length

    for (const { name, needsServer } of skipped) {
      if (needsServer !== undefined) {
        process.stdout.write(`SKIPPED, because ${needsServer} is not set: ${name}\n`)
      } else if (process.env.VERDICT_SKIPS_FAIL === '1') {
        process.stdout.write(`SKIPPED, which fails here: ${name}\n`)
        process.exitCode = 1
      }
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
  }
}
