import { execFileSync, spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, test } from 'vitest'

const INDEX = path.resolve(import.meta.dirname, '../../src/index.ts')

/** A function whose reports of progress are refused, and nobody awaits them: what happens behind a caller's back. */
const PROGRAM = `
  const { openVerdict } = await import(${JSON.stringify(INDEX)})
  const verdict = await openVerdict('memory:', { settings: { logLevel: process.argv[1] } })
  const begun = await verdict.start('k', {}, async ({ progress }) => { progress({ percent: 101 }); return 1 })
  console.log(await begun.result())
  await verdict.close()
`
const run = (level: string) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM, level], { encoding: 'utf8' })

test('what happens behind a caller’s back is a line of JSON on standard error, and standard output stays its own', () => {
  const { stdout, stderr } = run('warn')
  expect(stdout).toBe('1\n')
  const [line, ...others] = stderr.trim().split('\n')
  expect(others).toEqual([])
  expect(JSON.parse(line ?? '')).toMatchObject({ level: 40, msg: expect.stringMatching(/progress/i) })
})

test('nothing is written where silence is asked for', () => {
  expect(run('silent').stderr).toBe('')
  expect(() =>
    execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM, 'loud'], { stdio: 'pipe' }),
  ).toThrow(/setting logLevel/)
})
