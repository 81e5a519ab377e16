import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { listAsked } from '../../projections/operation-questions.ts'
import type { ListedOperation, OperationPage } from '../../src/authority/monitoring.ts'
import { OPERATION_SORTS, type OperationSort } from '../../src/authority/monitoring.ts'
import type { OperationFilter } from '../../src/authority/monitoring-filters.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { type Followed, followed, projected } from './support/followed.ts'

const MOMENT = { now: 300_000, unheard: [] }

const filters: fc.Arbitrary<OperationFilter> = fc.record(
  {
    kinds: fc.constantFrom(undefined, ['k', 'phased'], ['k', 'k']),
    statuses: fc.constantFrom<OperationFilter['statuses'][]>(undefined, ['running', 'completed', 'running']),
    owners: fc.constantFrom(undefined, ['a', 'a'], ['a', 'b']),
    active: fc.constantFrom(undefined, true, false),
    text: fc.constantFrom(undefined, 'k', 'a'),
  },
  { requiredKeys: [] },
)

function all(file: Followed, sort: OperationSort, filter: OperationFilter): readonly ListedOperation[] {
  return file.ask((session) => listAsked(session, { ...MOMENT, sort, filter, pageSize: 1_000 })).operations
}

function sortValue(sort: OperationSort, view: ListedOperation): number | undefined {
  const values = {
    newest_activity: view.lastActivityAt,
    oldest_in_status: view.statusSinceAt,
    longest_running: view.startedAt,
    most_overdue: view.judgement.deadlineAt,
  }
  return values[sort]
}

describe('pages', () => {
  test('D8: read while others write, they show each row that stays in its place once, whatever the sort and the filter', () => {
    const question = fc.record({ sort: fc.constantFrom(...OPERATION_SORTS), filter: filters })
    const pageSize = fc.integer({ min: 1, max: 3 })
    fc.assert(
      fc.property(limits, wishes, fc.integer(), question, pageSize, (given, sent, seed, { sort, filter }, size) => {
        const events = projected(historyOf(given, sent, seed).history)
        using file = followed(OPERATION_INDEX)
        const half = Math.floor(events.length / 2)
        file.project(events.slice(0, half))
        const before = all(file, sort, filter)
        const shown: ListedOperation[] = []
        let next = half
        let page: OperationPage | undefined
        do {
          const pageToken = page?.nextPageToken
          page = file.ask((session) => listAsked(session, { ...MOMENT, sort, filter, pageSize: size, pageToken }))
          shown.push(...page.operations)
          // Fewer writes than pages would be no test, and more than that would leave none for later pages.
          file.project(events.slice(next, next + 3))
          next += 3
        } while (page.nextPageToken !== undefined)
        const after = new Map(all(file, sort, filter).map((view) => [view.number, sortValue(sort, view)]))
        const timesShown = Map.groupBy(shown, ({ number }) => number)
        for (const view of before) {
          if (after.get(view.number) !== sortValue(sort, view)) continue
          expect(timesShown.get(view.number)).toHaveLength(1)
        }
        // Activity only grows: whoever moves, moves before the pages.
        if (sort === 'newest_activity') {
          expect([...timesShown.values()].filter((views) => views.length > 1)).toEqual([])
        }
      }),
      { numRuns: 150 },
    )
  })

  test('D8: values that are named twice show their rows once', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), (given, sent, seed) => {
        using file = followed(OPERATION_INDEX)
        file.project(projected(historyOf(given, sent, seed).history))
        const numbers = (filter: OperationFilter) => all(file, 'newest_activity', filter).map(({ number }) => number)
        expect(numbers({ kinds: ['k', 'k'] })).toEqual(numbers({ kinds: ['k'] }))
        expect(numbers({ owners: ['a', 'a'] })).toEqual(numbers({ owners: ['a'] }))
        expect(numbers({ statuses: ['running', 'running'] })).toEqual(numbers({ statuses: ['running'] }))
      }),
      { numRuns: 20 },
    )
  })
})
