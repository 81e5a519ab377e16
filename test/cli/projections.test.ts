import { existsSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { openReadDatabase } from '../../projections/read-database.ts'
import { progressBar } from '../../src/cli/progress-bar.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { verdict } from './support/command-line.ts'

const NAMES = ['operation-index', 'operation-history', 'liveness', 'registries', 'rates']

async function written(): Promise<string> {
  const folder = freshFolder()
  const log = await openedAt(path.join(folder, 'verdict.db'))
  await log.execute('k', { id: 'a' }, () => 1)
  await log.close()
  return folder
}

describe('verdict projections', () => {
  test('list tells each of them, starts nothing, and ends with 1 while there are no rows', async () => {
    const folder = await written()
    const { code, stdout } = await verdict('projections', 'list', '--data', folder)
    expect(code).toBe(1)
    const lines = stdout.toString().trimEnd().split('\n')
    expect(lines.map((line) => line.split(/\s+/).slice(0, 2))).toEqual(NAMES.map((name) => [name, 'stopped']))
    expect(lines[0]).toMatch(/It has not been built yet\.$/)
    expect(existsSync(path.join(folder, 'verdict.db-views'))).toBe(false)
  })

  test('rebuild builds all or one, and list and check then tell of them', async () => {
    const folder = await written()
    const all = await verdict('projections', 'rebuild', '--all', '--data', folder)
    expect(all).toMatchObject({ code: 0, stderr: '' })
    expect(all.stdout.toString()).toBe(`${NAMES.join(', ')}: 4 events, up to position 5\n`)
    const one = await verdict('projections', 'rebuild', 'rates', '--data', folder, '--json')
    expect(JSON.parse(one.stdout.toString())).toEqual({ projections: ['rates'], events: 4, position: '5' })
    const list = await verdict('projections', 'list', '--data', folder, '--json')
    expect(JSON.parse(list.stdout.toString())).toMatchObject(
      NAMES.map((projection) => ({ projection, position: '5', lag: { events: 0, isMore: false, ms: 0 }, parked: [] })),
    )
    const check = await verdict('projections', 'check', 'operation-index', '--data', folder)
    expect(check.code).toBe(0)
    expect(check.stdout.toString()).toMatch(/^operation-index: \d+ rows of all streams at position 5, 0 differences\n$/)
    const sample = await verdict('projections', 'check', 'operation-index', '--sample', '1', '--data', folder)
    expect(sample.stdout.toString()).toMatch(/rows of 1 streams at position 5, 0 differences\n$/)
  })

  test('check names rows that are not what the log gives, and ends with 1', async () => {
    const folder = await written()
    await verdict('projections', 'rebuild', 'operation-history', '--data', folder)
    const db = new Database(path.join(folder, 'verdict.db-views'))
    const table = db.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'operation-stories.[0-9]*'`).pluck().get()
    db.exec(`UPDATE "${table}" SET events = 99`)
    db.close()
    const { code, stdout } = await verdict('projections', 'check', 'operation-history', '--data', folder)
    expect(code).toBe(1)
    expect(stdout.toString()).toMatch(/^operation-stories \[registry-default\/default, \d+\]: different\n/)
  })

  test('parked tells that nothing is parked; retry and discard of what is not are refused', async () => {
    const folder = await written()
    await verdict('projections', 'rebuild', '--all', '--data', folder)
    expect(await verdict('projections', 'parked', '--data', folder)).toMatchObject({ code: 0, stderr: '' })
    const retried = await verdict('projections', 'retry', 'liveness', 'registry-default/x', '--data', folder)
    expect(retried).toMatchObject({
      code: 125,
      stderr: `verdict: 'liveness' has no parked stream 'registry-default/x'.\n`,
    })
  })

  test('retry and discard tell what came of it, and nothing else of what is parked', async () => {
    const folder = await written()
    await verdict('projections', 'rebuild', '--all', '--data', folder)
    const streams = ['registry-default/default', 'registry-default/x']
    const database = openReadDatabase(path.join(folder, 'verdict.db-views'))
    for (const generation of database.generations('rates')) {
      for (const stream of streams) {
        database.park(generation, { stream, revision: 99, position: 99n, error: 'e', parkedAt: 1, tries: 99 })
      }
    }
    database.close()
    const order = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await verdict('projections', ...args, '--data', folder)
      return { code, stdout: stdout.toString(), stderr }
    }
    expect([
      await order('retry', 'rates', 'registry-default/x'),
      await order('discard', 'rates', 'registry-default/default', '--reason', 'known defect 7'),
    ]).toEqual([
      { code: 0, stdout: 'rates: registry-default/x is followed again\n', stderr: '' },
      { code: 0, stdout: 'rates: registry-default/default is followed again\n', stderr: '' },
    ])
  })

  test.each([
    [['rebuild'], 'projections rebuild takes the name of a projection, or --all, got ""'],
    [['rebuild', 'rates', '--all'], 'projections rebuild takes a name or --all, not both, got "rates"'],
    [['check', 'rates', '--sample', 'x'], '--sample takes a whole number from 1, got "x"'],
    [['discard', 'rates', 's'], 'projections discard needs --reason TEXT'],
    [['retry', 'rates'], 'projections retry takes the names of a projection and of a stream, got "rates"'],
    [['dance'], 'projections has no "dance"'],
  ])('%j is told what is expected, with exit code 2', async (args, message) => {
    expect(await verdict('projections', ...args)).toMatchObject({
      code: 2,
      stderr: `verdict: ${message}; see "verdict --help"\n`,
    })
  })

  test('over a folder without a log says so, and makes none', async () => {
    const folder = freshFolder()
    expect(await verdict('projections', 'list', '--data', folder)).toMatchObject({
      code: 125,
      stderr: `verdict: there is no log at ${path.join(folder, 'verdict.db')}\n`,
    })
    expect(existsSync(path.join(folder, 'verdict.db'))).toBe(false)
  })
})

test.each([
  [0, 10, '[------------------------------] 0%'],
  [5, 10, '[###############---------------] 50%'],
  [12, 10, '[##############################] 100%'],
  [0, 0, '[##############################] 100%'],
])('a bar of %i of %i', (done, total, bar) => {
  expect(progressBar(done, total)).toBe(bar)
})
