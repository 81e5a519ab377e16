import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { TALLIES, TEAM_TALLY } from '../examples/team-tally.ts'
import { projectionSpecification, specification } from '../src/testing.ts'
import { freshFolder } from './client/support/opened-verdict.ts'

const HOUSE = path.resolve(import.meta.dirname, '..')
const PAGE = readFileSync(path.join(HOUSE, 'docs/projections.md'), 'utf8')
const BLOCKS = [...PAGE.matchAll(/```(\w+)(?: file=(\S+))?\n([\s\S]*?)```/g)].map(([, language, file, text = '']) => ({
  language,
  file,
  text,
}))

test('the programs on the page of projections are the files', () => {
  const named = BLOCKS.flatMap(({ file, text }) => (file === undefined ? [] : [{ file, text }]))
  expect(named.map(({ file }) => file)).toEqual([
    'examples/team-tally.ts',
    'examples/projection.ts',
    'examples/consumer.ts',
  ])
  for (const { file, text } of named) expect(text).toBe(readFileSync(path.join(HOUSE, file), 'utf8'))
})

test('the commands on the page of projections run as they stand, one after the other', { timeout: 120_000 }, () => {
  // A checkout of its own, as far as the commands see it: what they write is seen by no other test.
  const folder = freshFolder()
  for (const name of ['node_modules', 'examples', 'package.json'])
    symlinkSync(path.join(HOUSE, name), path.join(folder, name))
  const lines = BLOCKS.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.trim().split('\n'))
  const outputs = lines.map((line) =>
    execFileSync('bash', ['-c', line], { cwd: folder, stdio: 'pipe', encoding: 'utf8' }),
  )
  expect(outputs).toEqual([
    expect.stringMatching(/^\[ \{ team: 'billing', registered: 2, completed: 1, failed: 1 \} \] as of position \d+\n$/),
    expect.stringMatching(/^\d+: mail to default: \S+ has failed\n$/),
  ])
  const checkpoint = JSON.parse(readFileSync(path.join(folder, '.verdict/mailer-checkpoint.json'), 'utf8'))
  expect(checkpoint).toMatchObject({ timeline: 1, position: expect.stringMatching(/^\d+$/) })
  // It goes on from there: nothing new has happened.
  expect(execFileSync('bash', ['-c', lines.at(-1) ?? ''], { cwd: folder, stdio: 'pipe', encoding: 'utf8' })).toBe('')
})

test('the specification on the page of projections gives the rows that it names', () => {
  const acme = specification()
    .given({ type: 'RegisterOperation', id: 'a', kind: 'export', labels: { team: 'billing' }, claim: {} })
    .given({ type: 'FailOperation', id: 'a', leaseEpoch: 2, error: { message: 'no rows' } })
  const rows = projectionSpecification(TEAM_TALLY).given('acme', acme.history).rows(TALLIES)
  expect(rows).toEqual([{ team: 'billing', registered: 1, completed: 0, failed: 1 }])
  expect(PAGE).toContain(`// [{ team: 'billing', registered: 1, completed: 0, failed: 1 }]`)
})
