/** How questions are planned over an index that is large enough for the plans of a million; nothing is timed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildIndexOfOperations, INDEX_NOW } from '../../bench/index-of-operations.ts'
import { facetsAsked } from '../../projections/operation-facets.ts'
import { OPERATION_INDEX, OPERATIONS as OPERATION_ROWS } from '../../projections/operation-index.ts'
import { countAsked, listAsked } from '../../projections/operation-questions.ts'
import { ReadModels } from '../../projections/read-models.ts'
import type { ReadSession } from '../../projections/read-session.ts'
import { OPERATION_SORTS, type OperationSort } from '../../src/authority/monitoring.ts'
import type { OperationFilter } from '../../src/authority/monitoring-filters.ts'

const SIZE = 20_000
const DAY_MS = 86_400_000
const MOMENT = { now: INDEX_NOW, unheard: [{ from: INDEX_NOW - 100_000, to: INDEX_NOW - 90_000 }] }

const VIEWS: Readonly<Record<string, OperationFilter>> = {
  'Needs attention': { attention: true },
  Running: { active: true },
  'Failed 24 h': { statuses: ['failed'], ended: { from: INDEX_NOW - DAY_MS } },
  'Reconciled 7 d': { reconciled: true, ended: { from: INDEX_NOW - 7 * DAY_MS } },
}
type Natural = readonly [what: string, filter: OperationFilter, sort: OperationSort]
/** Filters with an order in which they are shown. */
const NATURAL: readonly Natural[] = [
  ['Needs attention', VIEWS['Needs attention'] ?? {}, 'most_overdue'],
  ['Running', VIEWS.Running ?? {}, 'longest_running'],
  ['Failed 24 h', VIEWS['Failed 24 h'] ?? {}, 'oldest_in_status'],
  ['Reconciled 7 d', VIEWS['Reconciled 7 d'] ?? {}, 'oldest_in_status'],
  ...OPERATION_SORTS.map((sort): Natural => ['everything', {}, sort]),
  ...OPERATION_SORTS.map((sort): Natural => ['a workspace', { workspaces: ['research'] }, sort]),
  ['a kind', { kinds: ['kind-1'] }, 'newest_activity'],
  ['an owner', { owners: ['owner-1'] }, 'newest_activity'],
]

const folder = mkdtempSync(path.join(tmpdir(), 'verdict-plans-'))
const file = path.join(folder, 'views.db')
let models: ReadModels
beforeAll(() => {
  buildIndexOfOperations(file, SIZE)
  models = new ReadModels(file)
}, 120_000)
afterAll(() => {
  models.close()
  rmSync(folder, { recursive: true })
})

/** Every step that SQLite plans for the statements of a question. */
function steps(ask: (session: ReadSession) => void): readonly string[] {
  const found: string[] = []
  const explain = (session: ReadSession, sql: string, parameters: Parameters<ReadSession['all']>[1]) => {
    // The counts are a few rows, and all of them are looked at.
    if (!sql.includes(session.table(OPERATION_ROWS))) return
    const plan = session.all<{ readonly detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, parameters)
    found.push(...plan.map(({ detail }) => detail))
  }
  models.ask(OPERATION_INDEX.name, (session) =>
    ask({
      ...session,
      all: (sql, parameters) => {
        explain(session, sql, parameters)
        return session.all(sql, parameters)
      },
      get: (sql, parameters) => {
        explain(session, sql, parameters)
        return session.get(sql, parameters)
      },
    }),
  )
  return found
}

/** All rows of the table itself. */
const isFullScan = (step: string) => /^SCAN o\b/.test(step) && !step.includes('USING')

describe('over 20,000 operations', () => {
  test.each(NATURAL)(
    'D8: %s (%o) by %s is a walk along an index, first page and next, sorting nothing',
    (_, filter, sort) => {
      const found = steps((session) => {
        const { nextPageToken: pageToken } = listAsked(session, { ...MOMENT, filter, sort, pageSize: 5 })
        if (pageToken !== undefined) listAsked(session, { ...MOMENT, filter, sort, pageSize: 5, pageToken })
      })
      expect(found.filter((step) => step.includes('TEMP B-TREE FOR ORDER BY'))).toEqual([])
      expect(found.filter(isFullScan)).toEqual([])
      expect(found.some((step) => step.includes('USING'))).toBe(true)
    },
  )

  test.each(Object.entries(VIEWS))('D8: no sort, count or facets of %s (%o) looks at all operations', (_, filter) => {
    const found = steps((session) => {
      for (const sort of OPERATION_SORTS) listAsked(session, { ...MOMENT, filter, sort })
      countAsked(session, { ...MOMENT, filter })
      facetsAsked(session, { ...MOMENT, filter })
    })
    expect(found.filter(isFullScan)).toEqual([])
  })
})
