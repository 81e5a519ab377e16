import { afterEach, expect, test, vi } from 'vitest'
import type { TestModule } from 'vitest/node'
import { ClosingLineReporter } from './support/closing-line-reporter.ts'
import { needs, serverAt } from './support/needs.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test('a program that is there is found without a word', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  expect(needs('node')).toBe(true)
  expect(said).not.toHaveBeenCalled()
})

test('a missing program is told with the line that installs it', () => {
  vi.stubEnv('VERDICT_SKIPS_FAIL', '')
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  expect(needs('no-such-program', 'its-package')).toBe(false)
  expect(said.mock.calls).toEqual([
    ['SKIPPED: no-such-program is not on this machine; its tests need it: apt-get install its-package\n'],
  ])
})

test('where skips fail, a missing program is an error', () => {
  vi.stubEnv('VERDICT_SKIPS_FAIL', '1')
  expect(() => needs('no-such-program')).toThrow('no-such-program is not on this machine')
})

test('a server that is not there is told with the variable that names one, also where skips fail', () => {
  vi.stubEnv('VERDICT_SKIPS_FAIL', '1')
  vi.stubEnv('NO_SUCH_SERVER', '')
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  expect(serverAt('NO_SUCH_SERVER', 'esdb://localhost')).toBe(undefined)
  expect(said.mock.calls).toEqual([
    ['SKIPPED: the tests against a real server; start one and set NO_SUCH_SERVER=esdb://localhost\n'],
  ])
  vi.stubEnv('NO_SUCH_SERVER', 'esdb://there')
  expect(serverAt('NO_SUCH_SERVER', 'esdb://localhost')).toBe('esdb://there')
})

test.each([
  ['fails the run where skips fail', {}, 'SKIPPED, which fails here: a.test.ts > sleeps\n', 1],
  [
    'is named, and fails nothing, where it needs a server',
    { needsServer: 'THE_SERVER' },
    'SKIPPED, because THE_SERVER is not set: a.test.ts > sleeps\n',
    undefined,
  ],
])('a skipped test %s', (_what, meta, line, exitCode) => {
  vi.stubEnv('VERDICT_SKIPS_FAIL', '1')
  const before = process.exitCode
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  process.exitCode = undefined
  new ClosingLineReporter().onTestRunEnd([moduleWith(['skipped'], meta)])
  const met = process.exitCode
  process.exitCode = before
  expect(met).toBe(exitCode)
  expect(said.mock.calls).toEqual([[line], ['0 passed, 0 failed, 1 skipped\n']])
})

test('what was lost with its process has failed: each test that did not end, and a file that never began', () => {
  vi.stubEnv('VERDICT_SKIPS_FAIL', '')
  const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  new ClosingLineReporter().onTestRunEnd([
    moduleWith(['passed', 'pending', 'pending', 'skipped']),
    moduleWith([], {}, 'queued'),
  ])
  const lost = ['LOST with its process: a.test.ts > sleeps\n']
  expect(said.mock.calls).toEqual([lost, lost, ['1 passed, 3 failed, 1 skipped\n']])
})

/** What the reporter asks of vitest's own report. */
function moduleWith(
  states: readonly string[],
  meta: { readonly needsServer?: string } = {},
  moduleState = 'passed',
): TestModule {
  const tests = states.map((state) => ({ fullName: 'sleeps', result: () => ({ state }), meta: () => meta }))
  const module = {
    relativeModuleId: 'a.test.ts',
    state: () => moduleState,
    errors: () => [],
    children: { allTests: () => tests },
  }
  return module as unknown as TestModule // a whole one only vitest makes
}
