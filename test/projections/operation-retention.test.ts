import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { OPERATION_HISTORY, storyAsked } from '../../projections/operation-history.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { countAsked, listAsked, operationAsked } from '../../projections/operation-questions.ts'
import { forgetStories, type OperationRetention, retentionPass } from '../../projections/operation-retention.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import { type Followed, followed } from './support/followed.ts'
import { registered } from './support/tally.ts'

const STREAM = 'registry-default/a'
const MOMENT = { now: 1_000, unheard: [] }
const KEEP: OperationRetention = { keepMs: null, keepMax: null, deleteAfterMs: 50 }

describe('what has ended leaves the index', () => {
  test('D9: by its age, first from every list and count, later altogether, told by its id alone', () => {
    using file = indexOf(3)
    const keep = { ...KEEP, keepMs: 100 }
    expect(pass(file, keep, 201)).toEqual({ marked: 0, deleted: [], hasMore: false })
    expect(pass(file, keep, 203)).toEqual({ marked: 2, deleted: [], hasMore: false })
    expect(standing(file)).toEqual({
      listed: ['id-3', 'running-2', 'running-1'],
      count: 3,
      labelled: ['id-3'],
      ofLabel: { count: 1, isExact: true },
    })
    expect(file.ask((session) => operationAsked(session, { ...MOMENT, stream: STREAM, id: 'id-1' }))?.number).toBe(1)
    expect(pass(file, keep, 252)).toEqual({ marked: 1, deleted: [], hasMore: false })
    const ids = (at: number) => pass(file, keep, at).deleted.map(({ id, owner, workspace }) => [workspace, owner, id])
    expect(ids(253)).toEqual([
      ['default', 'a', 'id-1'],
      ['default', 'a', 'id-2'],
    ])
    expect(ids(400)).toEqual([['default', 'a', 'id-3']])
    expect(file.ask((session) => operationAsked(session, { ...MOMENT, stream: STREAM, id: 'id-1' }))).toBeUndefined()
    expect(tableSizes(file)).toEqual({ operations: 2, labels: 0, counts: 1 })
  })

  test('D9: by their number, the oldest ends first, and those under way never', () => {
    using file = indexOf(5)
    expect(pass(file, { ...KEEP, keepMax: 2 }, 500)).toMatchObject({ marked: 3, hasMore: false })
    expect(standing(file).listed).toEqual(['id-5', 'id-4', 'running-2', 'running-1'])
    expect(pass(file, { ...KEEP, keepMax: 2 }, 501)).toMatchObject({ marked: 0 })
  })

  test('D9: within a limit for each pass', () => {
    using file = indexOf(5)
    const keep = { ...KEEP, keepMs: 0, deleteAfterMs: 0 }
    const passes = Array.from({ length: 5 }, (_, i) => pass(file, keep, 500 + i, 2))
    expect(passes.map(({ marked, deleted, hasMore }) => [marked, deleted.length, hasMore])).toEqual([
      [2, 0, true],
      [2, 2, true],
      [1, 2, true],
      [0, 1, false],
      [0, 0, false],
    ])
  })

  test('D9: and its story with it, while the log keeps both', () => {
    using index = indexOf(2)
    using history = followed(OPERATION_HISTORY)
    history.project(eventsOf(2))
    const keep = { ...KEEP, keepMs: 0, deleteAfterMs: 0 }
    pass(index, keep, 500)
    forgetStories(history.projector, pass(index, keep, 501).deleted, 501)
    expect(history.ask((session) => storyAsked(session, { stream: STREAM, number: 1 }))).toEqual([])
    const rows = history.database.connection.prepare('SELECT count(*) FROM "operation-stories.1"').pluck().get()
    expect(rows).toBe(2)
  })

  test('D9: and the whole of a long story', () => {
    using history = followed(OPERATION_HISTORY)
    const reports = Array.from({ length: 200 }, (_, i) => ({
      ...registered(i + 2, 'k', STREAM, i + 1),
      event: { type: 'ProgressReported', facts: { id: 'id-1', number: 0, reports: 1 }, content: {} } as const,
    }))
    history.project([registered(1, 'k', STREAM, 0), ...reports])
    const rows = () =>
      ['operation-stories', 'operation-story-parts'].map((table) =>
        history.database.connection.prepare(`SELECT count(*) FROM "${table}.1"`).pluck().get(),
      )
    expect(rows()).toEqual([1, 3])
    forgetStories(history.projector, [{ stream: STREAM, number: 0 }], 501)
    expect(rows()).toEqual([0, 0])
  })

  test('a late report that contradicts what was deleted is passed by', () => {
    using index = indexOf(1)
    using history = followed(OPERATION_HISTORY)
    history.project(eventsOf(1))
    const keep = { ...KEEP, keepMs: 0, deleteAfterMs: 0 }
    pass(index, keep, 500)
    forgetStories(history.projector, pass(index, keep, 501).deleted, 501)
    const late = follow(900, { type: 'ContradictionRecorded', facts: { ...of(1), claimed: 'failed' }, content: {} })
    index.project([late])
    history.project([late])
    expect(standing(index).listed).toEqual(['running-2', 'running-1'])
    expect(history.ask((session) => storyAsked(session, { stream: STREAM, number: 1 }))).toEqual([])
  })

  test('what a batch that failed knew of it before is forgotten: sent again, it counts nothing that was hidden meanwhile', () => {
    using file = indexOf(2)
    const late = follow(900, { type: 'ContradictionRecorded', facts: { ...of(1), claimed: 'failed' }, content: {} })
    const other = new Database(file.database.connection.name, { timeout: 0 })
    other.exec('BEGIN IMMEDIATE')
    expect(() => file.project([late])).toThrow('database is locked')
    other.exec('ROLLBACK')
    other.close()
    expect(pass(file, { ...KEEP, keepMs: 0 }, 500).marked).toBe(2)
    file.project([late])
    expect(standing(file)).toEqual({
      listed: ['running-2', 'running-1'],
      count: 2,
      labelled: [],
      ofLabel: { count: 0, isExact: true },
    })
    expect(tableSizes(file)).toEqual({ operations: 4, labels: 2, counts: 1 })
  })
})

function pass(file: Followed, keep: OperationRetention, at: number, limit?: number) {
  return retentionPass(file.database, file.projector, keep, at, limit)
}

/** So many that ended, at 101, 102 and so on, and two that run. */
function indexOf(ended: number): Followed {
  const file = followed(OPERATION_INDEX)
  file.project(eventsOf(ended))
  return file
}

function eventsOf(ended: number): readonly ProjectedEvent[] {
  const numbers = Array.from({ length: ended }, (_, i) => i + 1)
  const running = [1, 2].map((i) => {
    const birth = registered(200 + i, 'export')
    return {
      ...birth,
      event: { ...birth.event, facts: { ...birth.event.facts, id: `running-${i}` } } as LifecycleEvent,
    }
  })
  return [
    ...numbers.map((i) => {
      const birth = registered(i, 'export')
      return { ...birth, event: { ...birth.event, content: { labels: { team: 'billing' } } } as LifecycleEvent }
    }),
    ...running.map((one) => ({ ...one, metadata: { ...one.metadata, at: 0 } })),
    ...numbers.map((i) =>
      follow(300 + i, { type: 'OperationAborted', facts: { ...of(i), sequence: i }, content: {} }, 100 + i),
    ),
  ]
}

function standing(file: Followed) {
  return file.ask((session) => ({
    listed: listAsked(session, MOMENT).operations.map(({ id }) => id),
    count: countAsked(session, MOMENT).count,
    labelled: listAsked(session, { ...MOMENT, filter: { labels: { team: 'billing' } } }).operations.map(({ id }) => id),
    ofLabel: countAsked(session, { ...MOMENT, filter: { labels: { team: 'billing' } } }),
  }))
}

function tableSizes({ database }: Followed) {
  const size = (table: string) => database.connection.prepare(`SELECT count(*) FROM "${table}.1"`).pluck().get()
  return {
    operations: size('operations'),
    labels: size('operation-labels'),
    counts: size('operation-counts'),
  }
}

function of(number: number) {
  return { id: `id-${number}`, number }
}

function follow(position: number, event: LifecycleEvent, at = position): ProjectedEvent {
  const birth = registered(position, '')
  return { ...birth, event, metadata: { ...birth.metadata, at } }
}
