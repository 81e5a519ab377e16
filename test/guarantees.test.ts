import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { guaranteeBreaches, guaranteesIn } from './support/guarantees.ts'
import { parseSource } from './support/source-file.ts'
import { testTitles } from './support/test-call.ts'

const HOUSE = path.resolve(import.meta.dirname, '..')

const ROWS_PER_SECTION = { A: 26, B: 16, C: 10, D: 9, E: 9, F: 9, G: 8, H: 11 }

describe('docs/guarantees.md', () => {
  const guarantees = guaranteesIn(readFileSync(path.join(HOUSE, 'docs/guarantees.md'), 'utf8'))

  test('has every row from A1 to H11 once and in order', () => {
    const ids = Object.entries(ROWS_PER_SECTION).flatMap(([section, rows]) =>
      Array.from({ length: rows }, (_, index) => `${section}${index + 1}`),
    )
    expect(guarantees.map((guarantee) => guarantee.id)).toEqual(ids)
  })

  test('names a test for every row that is done, and only tests that exist and run', () => {
    const titlesIn = (file: string) => {
      const place = path.join(HOUSE, file)
      return existsSync(place) ? testTitles(parseSource(file, readFileSync(place, 'utf8'))) : undefined
    }
    expect(guaranteeBreaches(guarantees, titlesIn)).toEqual([])
  })
})

describe('a page about guarantees', () => {
  const titles = testTitles(
    parseSource(
      'test/a.test.ts',
      `describe('not a test', () => {
         test('holds a | b', run)
         test.each([1])('takes %i', run)
         it.concurrent(\`stays\`, run)
         test.skip('sleeps', run)
         pattern.test('no title')
       })`,
    ),
  )
  const breachesOf = (row: string) =>
    guaranteeBreaches(guaranteesIn(`text\n|---|\n${row}\n`), (file) => (file === 'test/a.test.ts' ? titles : undefined))

  test.each([
    '| A1 | x | open | |',
    '| A1 | x \\| y | done | `test/a.test.ts > holds a \\| b` |',
    '| A1 | x | done | `test/a.test.ts > takes %i`<br>`test/a.test.ts > stays` |',
  ])('is true: %s', (row) => {
    expect(guaranteesIn(row)).toHaveLength(1)
    expect(breachesOf(row)).toEqual([])
  })

  test.each([
    ['| A1 | x | done | |', 'A1: is done, but names no test'],
    ['| A1 | x | nearly | |', 'A1: its status is "nearly", not "done" or "open"'],
    ['| A1 | x | done | the tests |', 'A1: its tests are not written as `file > title`, separated by <br>'],
    ['| A1 | x | done | `test/b.test.ts > stays` |', 'A1: test/b.test.ts does not exist'],
    ['| A1 | x | open | `test/a.test.ts > gone` |', 'A1: test/a.test.ts has no test "gone" that runs'],
    ['| A1 | x | done | `test/a.test.ts > sleeps` |', 'A1: test/a.test.ts has no test "sleeps" that runs'],
    ['| A1 | x | done | `test/a.test.ts > not a test` |', 'A1: test/a.test.ts has no test "not a test" that runs'],
    ['| A1 | x | done | `test/a.test.ts > no title` |', 'A1: test/a.test.ts has no test "no title" that runs'],
  ])('is not: %s', (row, breach) => {
    expect(breachesOf(row)).toEqual([breach])
  })
})
