import { afterEach, expect, test, vi } from 'vitest'
import { needs } from './support/needs.ts'

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
