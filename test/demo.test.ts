import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'

const HOUSE = path.resolve(import.meta.dirname, '..')

test('the main job on real input comes to the truth, whoever is killed on the way', { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['examples/demo.ts'], { cwd: HOUSE, encoding: 'utf8' })
  const checks = stdout.split('\n').filter((line) => /^(ok {2}|FAIL)/.test(line))
  expect(checks.filter((line) => line.startsWith('FAIL'))).toEqual([])
  expect(checks).toContain('ok   the log folded again is what the living process knew')
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(`${checks.length} checks held, 0 failed`)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})
