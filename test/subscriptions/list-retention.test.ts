import path from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { openNode } from '../../src/app.ts'
import { projectionLines } from '../../src/cli/projection-lines.ts'
import { Verdict } from '../../src/client/verdict.ts'
import type { SettingsInput } from '../../src/config.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { atTheEnd, eventually, freshFolder } from './support/read-side-node.ts'

async function opened(file: string, settings: SettingsInput) {
  const log = Object.assign(new RecordingLog(), {
    told: [] as unknown[],
    info: (facts: object) => log.told.push(facts),
  })
  const node = await openNode(file, { settings: { listRetentionEveryMs: 20, ...settings }, log })
  const verdict = new Verdict(node.door, { log })
  atTheEnd(() => verdict.close({ grace: 0 }))
  return { node, verdict, log }
}

const listed = async (verdict: Verdict) => [...(await verdict.operations.list())].map(({ id }) => id)

test('D9: what has ended leaves the lists in two steps, is told by its id, and its story stays in the log', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const first = await opened(file, { listKeepMax: 1, listDeleteAfterMs: 3_600_000 })
  for (const id of ['a', 'b', 'c']) await first.verdict.execute('k', { id }, () => id)
  await first.verdict.register('k', { id: 'waits' })
  expect(
    await eventually(
      () => listed(first.verdict),
      ({ length }) => length === 2,
    ),
  ).toEqual(['waits', 'c'])
  expect(await first.verdict.operations.count()).toMatchObject({ count: 2, isExact: true })
  expect(await first.verdict.operations.story('a')).toMatchObject({
    standing: 'hidden',
    explanation: 'It has ended, and has left the lists; soon the read models no longer hold it, and the log has it.',
    operation: { id: 'a', status: 'completed' },
  })
  expect(first.log.told).toContainEqual({ marked: 2, deleted: 0 })
  const health = await first.node.readSide.health()
  expect(health.find(({ projection }) => projection === 'operation-index')).toMatchObject({ hidden: 2 })
  expect(
    projectionLines(health).filter((line) => line.includes('2 operations out of the lists, to be deleted')),
  ).toHaveLength(1)
  for (const name of ['operation-index', 'operation-history']) {
    expect(await first.node.readSide.check(name, undefined)).toMatchObject({ differences: [] })
  }
  await first.verdict.close()

  const second = await opened(file, { listKeepMax: 1, listDeleteAfterMs: 0 })
  const told = await eventually(
    () => second.verdict.operations.story('a'),
    (story) => story?.standing === 'no_longer_held',
  )
  expect(told).toMatchObject({ id: 'a', explanation: 'It is no longer held by the read models; the log has it.' })
  expect(told?.operation).toBeUndefined()
  expect(told?.entries.map(({ event }) => event.type)).toEqual(
    (await second.verdict.operation('a').history()).map(({ event }) => event.type),
  )
  expect(await second.verdict.operations.story('a', { limit: 1 })).toMatchObject({ hasMore: true, entries: [{}] })
  expect(await listed(second.verdict)).toEqual(['waits', 'c'])
  for (const name of ['operation-index', 'operation-history']) {
    expect(await second.node.readSide.check(name, undefined)).toMatchObject({ differences: [] })
  }
})

test('D9: a row that is missing though it would have been kept is a difference all the same', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const { node, verdict } = await opened(file, {})
  for (const id of ['a', 'b']) await verdict.execute('k', { id }, () => id)
  expect(await listed(verdict)).toEqual(['b', 'a'])
  const views = new Database(`${file}-views`)
  const [table] = views.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'operations.[0-9]*'`).pluck().all()
  views.prepare(`DELETE FROM "${table}" WHERE id = 'b'`).run()
  views.close()
  const { differences } = await node.readSide.check('operation-index', undefined)
  expect(differences).toMatchObject([{ table: 'operations', type: 'missing' }])
})
