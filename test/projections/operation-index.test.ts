import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { facetsAsked } from '../../projections/operation-facets.ts'
import type { Moment } from '../../projections/operation-freshness.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { countAsked, type ListQuestion, listAsked, operationAsked } from '../../projections/operation-questions.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import { graceMsFor } from '../../src/authority/grace.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import { type ListedOperation, OPERATION_SORTS, type OperationSort } from '../../src/authority/monitoring.ts'
import { FRESHNESSES, type OperationFilter, PROBLEM_CLASSES } from '../../src/authority/monitoring-filters.ts'
import { viewOf } from '../../src/authority/operation-view.ts'
import { PRESENT_STATUSES, RESULT_CLASSES } from '../../src/authority/status.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { holds, inOrder, isAmong, reasonCodeOf, sortValue } from './support/filter-meaning.ts'
import { type Followed, followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const MOMENT: Moment = { now: 1_000_000, unheard: [] }

function list(file: Followed, question: Partial<ListQuestion> = {}) {
  return file.ask((session) => listAsked(session, { ...MOMENT, ...question }))
}

/** Every page, one after the other. */
function pages(file: Followed, question: Partial<ListQuestion>): readonly ListedOperation[] {
  const found: ListedOperation[] = []
  let pageToken: string | undefined
  do {
    const page = list(file, { ...question, pageToken })
    found.push(...page.operations)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return found
}

/** Filters of everyday monitors. */
const PLANNED: readonly OperationFilter[] = [
  {},
  { kinds: ['export'] },
  { statuses: ['failed'] },
  { kinds: ['export', 'sync'], resultClasses: ['running'] },
  { owners: ['a'] },
  { active: true },
]

const some = <T>(values: readonly T[]) => fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined })
const flag = fc.constantFrom(undefined, undefined, true, false)
const filters: fc.Arbitrary<OperationFilter> = fc.record(
  {
    statuses: some(PRESENT_STATUSES),
    resultClasses: some(RESULT_CLASSES),
    kinds: some(['k', 'phased', 'peered', 'silent', 'discarded']),
    freshness: some(FRESHNESSES),
    problemClasses: some(PROBLEM_CLASSES),
    attention: flag,
    active: flag,
    reconciled: flag,
    contradicted: flag,
    key: fc.constantFrom(undefined, undefined, 'x'),
    text: fc.constantFrom(undefined, undefined, 'a', 'K'),
    attemptAtLeast: fc.constantFrom(undefined, undefined, 2),
    reasonCodes: fc.constantFrom<OperationFilter['reasonCodes'][]>(undefined, undefined, ['run.never_enqueued']),
    workspaces: fc.constantFrom(undefined, undefined, ['default', 'other'], ['other']),
    owners: fc.constantFrom(undefined, undefined, ['a', 'b'], ['b']),
    ids: fc.constantFrom(undefined, undefined, ['a', 'b', 'c']),
    registered: fc.constantFrom(undefined, undefined, { from: 60 }, { until: 70 }),
    started: fc.constantFrom(undefined, undefined, { from: 60 }, { until: 70 }),
    ended: fc.constantFrom(undefined, undefined, { from: 60 }, { until: 80 }),
    activity: fc.constantFrom(undefined, undefined, { from: 60 }, { from: 50, until: 100 }),
  },
  { requiredKeys: [] },
)

const UNHEARD = [
  { from: 47, to: 49 },
  { from: 200_000, to: 300_000 },
]
const unheard = fc.array(
  fc
    .tuple(fc.constantFrom(0, 45, 60, 70, 200_000, 86_000_000), fc.constantFrom(1, 10, 100_000, 1e11))
    .map(([from, lengthMs]) => ({ from, to: from + lengthMs })),
  { maxLength: 3 },
)

describe('the operation index', () => {
  test('A21, B3: shows each operation as its registry does, in any history and at any time', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.integer({ min: 1, max: 9 }), (given, sent, seed, batch) => {
        const { history, state } = historyOf(given, sent, seed)
        using file = followed(OPERATION_INDEX, { batch })
        file.project(projected(history))
        for (const held of state.operations.values()) {
          for (const now of [50, 400_000, 1e12]) {
            const graceMs = graceMsFor(held, UNHEARD, now)
            const {
              input: _input,
              peer,
              outcome: _outcome,
              phases,
              diagnostics: _diagnostics,
              ...view
            } = viewOf(held, now, graceMs)
            const question = { now, unheard: UNHEARD, stream: 'registry-default/a', number: held.number }
            const row = file.ask((session) => operationAsked(session, question))
            expect(row).toMatchObject(view)
            expect(row?.peer === undefined).toBe(peer === undefined)
            expect(row?.phases.map(({ name, status }) => [name, status])).toEqual(
              phases.map(({ name, status }) => [name, status]),
            )
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  test('D8, B3: any filters together leave what they say, in any sort, page by page', { timeout: 120_000 }, () => {
    const times = fc.constantFrom(45, 80, 300_000, 90_000_000, 1e12)
    const question = fc.record({ filter: filters, sort: fc.constantFrom(...OPERATION_SORTS), now: times, unheard })
    fc.assert(
      fc.property(
        limits,
        wishes,
        fc.integer(),
        fc.array(question, { minLength: 5, maxLength: 5 }),
        (given, sent, seed, questions) => {
          const { history } = historyOf(given, sent, seed)
          using file = followed(OPERATION_INDEX)
          file.project(projected(history))
          for (const { filter, sort, now, unheard } of questions) {
            const moment = { now, unheard }
            const all = pages(file, { ...moment, pageSize: 1_000 })
            const expected = all.filter((view) => holds(filter, view)).filter((view) => isAmong(sort, view))
            const found = pages(file, { ...moment, filter, sort, pageSize: 3 })
            expect(byNumber(found)).toEqual(byNumber(expected))
            expect(found.map((view) => sortValue(sort, view))).toEqual(inOrder(sort, expected))
            expect(file.ask((session) => countAsked(session, { ...moment, filter }))).toEqual({
              count: all.filter((view) => holds(filter, view)).length,
              isExact: true,
            })
            const facets = file.ask((session) => facetsAsked(session, { ...moment, filter }))
            expect(facets).toEqual(facetsOf(all.filter((view) => holds(filter, view))))
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('D8: labels are found by their values, each of them', () => {
    using file = followed(OPERATION_INDEX)
    file.project(
      Array.from({ length: 12 }, (_, i) =>
        born(i + 1, { labels: { team: i % 2 === 0 ? 'billing' : 'search', tier: `t${i % 3}` } }),
      ),
    )
    const ids = (labels: Record<string, string>) => list(file, { filter: { labels } }).operations.map(({ id }) => id)
    expect(ids({ team: 'billing' })).toEqual(['id-11', 'id-9', 'id-7', 'id-5', 'id-3', 'id-1'])
    expect(ids({ team: 'billing', tier: 't2' })).toEqual(['id-9', 'id-3'])
    expect(ids({ team: 'billing', tier: 't9' })).toEqual([])
    file.project([follow(20, { type: 'RegistrationRolledBack', facts: of(9), content: {} })])
    expect(ids({ team: 'billing', tier: 't2' })).toEqual(['id-3'])
  })

  test('a condition that most operations meet is asked of each, and one that few meet is begun with: the same rows', () => {
    using file = followed(OPERATION_INDEX, { batch: 5_000, keptRowsMax: 10_000 })
    file.project(
      Array.from({ length: 5_000 }, (_, i) =>
        born(i + 1, { labels: { common: 'yes', rare: i % 1_000 === 0 ? 'yes' : 'no' }, name: `Report ${i}` }),
      ),
    )
    const found = (filter: OperationFilter) => list(file, { filter, pageSize: 3 }).operations.map(({ id }) => id)
    expect(found({ labels: { common: 'yes' } })).toEqual(['id-5000', 'id-4999', 'id-4998'])
    expect(found({ labels: { common: 'yes', rare: 'yes' } })).toEqual(['id-4001', 'id-3001', 'id-2001'])
    expect(found({ text: 'report' })).toEqual(['id-5000', 'id-4999', 'id-4998'])
    expect(found({ text: 'REPORT 123' })).toEqual(['id-1240', 'id-1239', 'id-1238'])
    expect(found({ ids: ['id-7', 'id-8', 'nobody'] })).toEqual(['id-8', 'id-7'])
  })

  test('a text finds all that begin with it, whatever character comes behind it', () => {
    using file = followed(OPERATION_INDEX)
    const names = ['a', 'a\u{10ffff}\u{10ffff}b', 'A\ud7ff', 'a\ue000', 'a%', '\u{10ffff}', '\u{10ffff}c', 'b']
    file.project(names.map((name, i) => born(i + 1, { name })))
    const found = (text: string) =>
      list(file, { filter: { text } })
        .operations.map(({ number }) => names[number - 1])
        .reverse()
    expect(found('a')).toEqual(['a', 'a\u{10ffff}\u{10ffff}b', 'A\ud7ff', 'a\ue000', 'a%'])
    expect(found('a\u{10ffff}')).toEqual(['a\u{10ffff}\u{10ffff}b'])
    expect(found('a\ud7ff')).toEqual(['A\ud7ff'])
    expect(found('\u{10ffff}')).toEqual(['\u{10ffff}', '\u{10ffff}c'])
    expect(found('%')).toEqual([])
  })

  test('one whose id and name both begin with a text is found once', () => {
    using file = followed(OPERATION_INDEX)
    file.project([born(1, { name: 'ID-1 of many' }), born(2, { name: 'other' }), born(3, { name: 'id-1, too' })])
    const filter = { text: 'id-1' }
    expect(list(file, { filter }).operations.map(({ id }) => id)).toEqual(['id-3', 'id-1'])
    expect(file.ask((session) => countAsked(session, { ...MOMENT, filter }))).toEqual({ count: 2, isExact: true })
    const facets = file.ask((session) => facetsAsked(session, { ...MOMENT, filter }))
    expect(facets.statuses).toEqual({ provisioning: { count: 2, isExact: true } })
  })

  test('B3: those that nobody judges are told from those that nothing threatens', () => {
    using file = followed(OPERATION_INDEX)
    file.project([registered(1, 'export'), registered(2, 'export'), born(3, {}, null), born(4), born(5)])
    const moment = { now: 90_000_000, unheard: [] }
    for (const filter of [{}, { kinds: ['export'] }, { owners: ['a'] }]) {
      const { freshness, problemClasses } = file.ask((session) => facetsAsked(session, { ...moment, filter }))
      const counts = Object.entries({ ...freshness, ...problemClasses }).map(([name, { count }]) => [name, count])
      expect(Object.fromEntries(counts)).toEqual({
        fresh: 1,
        late: 0,
        likely_stale: 2,
        reconciled: 0,
        terminal: 0,
        no_policy: 2,
        active_attention: 2,
        terminal_follow_up: 0,
        none: 3,
      })
    }
    const ids = (freshness: OperationFilter['freshness']) =>
      list(file, { ...moment, filter: { freshness } }).operations.map(({ id }) => id)
    expect(ids(['no_policy'])).toEqual(['id-2', 'id-1'])
    expect(ids(['fresh'])).toEqual(['id-3'])
  })

  test('D2: two builds that are given the same event count it each by its own rows', () => {
    using without = followed(OPERATION_INDEX)
    using file = followed(OPERATION_INDEX)
    const late = follow(3, { type: 'ContradictionRecorded', facts: { ...of(1), claimed: 'failed' }, content: {} })
    file.project([born(1), follow(2, { type: 'OperationAborted', facts: { ...of(1), sequence: 1 }, content: {} })])
    // As where retention has deleted it.
    without.project([late])
    file.project([late])
    const followUp = (of: Followed) =>
      of.ask((session) => facetsAsked(session, MOMENT)).problemClasses.terminal_follow_up.count
    expect([followUp(without), followUp(file)]).toEqual([0, 1])
  })

  test('D8: counts are exact up to the cap, and say when there are more', () => {
    using file = followed(OPERATION_INDEX, { batch: 11_000, keptRowsMax: 50_000 })
    file.project(Array.from({ length: 10_001 }, (_, i) => born(i + 1, { name: i === 0 ? 'one' : 'many' })))
    const count = (filter: OperationFilter) => file.ask((session) => countAsked(session, { ...MOMENT, filter }))
    expect(count({})).toEqual({ count: 10_001, isExact: true })
    expect(count({ owners: ['a'] })).toEqual({ count: 10_000, isExact: false })
    expect(count({ text: 'man' })).toEqual({ count: 10_000, isExact: true })
    const facets = file.ask((session) => facetsAsked(session, { ...MOMENT, filter: { owners: ['a'] } }))
    expect(facets.statuses).toEqual({ provisioning: { count: 10_000, isExact: false } })
  })

  test('D8: what becomes newer while somebody reads pages is told, never shown twice, and nothing else is left out', () => {
    using file = followed(OPERATION_INDEX)
    file.project(Array.from({ length: 9 }, (_, i) => born(i + 1)))
    const first = list(file, { pageSize: 3 })
    file.project([
      follow(20, { type: 'RegistrationJoined', facts: of(2), content: {} }),
      follow(21, { type: 'RegistrationJoined', facts: of(8), content: {} }),
      born(22),
    ])
    const second = list(file, { pageSize: 3, pageToken: first.nextPageToken })
    const third = list(file, { pageSize: 3, pageToken: second.nextPageToken })
    expect([first, second, third].map(({ operations }) => operations.map(({ id }) => id))).toEqual([
      ['id-9', 'id-8', 'id-7'],
      ['id-6', 'id-5', 'id-4'],
      ['id-3', 'id-1'],
    ])
    expect([first.newer, second.newer, third.newer]).toEqual([0, 3, 3])
    expect(third.nextPageToken).toBeUndefined()
  })

  test('an id that was used again is its newest life, and both are listed', () => {
    using file = followed(OPERATION_INDEX)
    const again = born(30)
    file.project([
      born(1),
      { ...again, event: { ...again.event, facts: { ...again.event.facts, id: 'id-1' } } as LifecycleEvent },
    ])
    const question = { ...MOMENT, stream: 'registry-default/a', id: 'id-1' }
    expect(file.ask((session) => operationAsked(session, question))?.number).toBe(30)
    expect(list(file).operations.map(({ number }) => number)).toEqual([30, 1])
    expect(file.ask((session) => operationAsked(session, { ...question, id: 'nobody' }))).toBeUndefined()
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['filter', { filter: { colour: 'red' } }, 'filter: Unrecognized key: "colour"'],
    ['empty list', { filter: { kinds: [] } }, 'filter kinds: Too small'],
    ['list too long', { filter: { owners: Array(51).fill('a') } }, 'filter owners: Too big'],
    ['status', { filter: { statuses: ['dead'] } }, 'filter statuses.0: Invalid option'],
    ['range', { filter: { ended: { from: 2, until: 1 } } }, 'filter ended: expected from to be before until'],
    ['text', { filter: { text: 'x'.repeat(129) } }, 'filter text: Too big'],
    ['labels', { filter: { labels: {} } }, 'filter labels: expected 1 to 8 labels'],
    ['page', { pageSize: 1_001 }, 'a page has 1 to 1000 operations, got 1001'],
    ['sort', { sort: 'colour' }, 'sort: expected one of newest_activity, oldest_in_status'],
    ['sort of no own', { sort: 'constructor' }, 'sort: expected one of newest_activity, oldest_in_status'],
    [
      'name of a label',
      { filter: { labels: JSON.parse('{"__proto__":"x","team":"a"}') } },
      'filter labels: no operation has a label of the name __proto__',
    ],
    ['token', { pageToken: 'abc' }, 'the page token is no page token: ask for the first page again'],
  ])('refuses a silly %s in a sentence', (_what, question, message) => {
    using file = followed(OPERATION_INDEX)
    expect(() => list(file, question as Partial<ListQuestion>)).toThrow(message)
  })

  test('refuses the page token of another filter, sort or log', () => {
    using file = followed(OPERATION_INDEX)
    file.project([born(1), born(2)])
    const { nextPageToken: pageToken = '' } = list(file, { pageSize: 1 })
    const other = 'belongs to another filter or sort'
    expect(() => list(file, { pageToken, sort: 'longest_running' })).toThrow(other)
    expect(() => list(file, { pageToken, filter: { active: true } })).toThrow(other)
    const forged = (change: (parts: unknown[]) => void) => {
      const parts = JSON.parse(Buffer.from(pageToken, 'base64url').toString())
      change(parts)
      return Buffer.from(JSON.stringify(parts)).toString('base64url')
    }
    const asked = (at: number, value: unknown) => () =>
      list(file, { pageToken: forged((parts) => parts.splice(at, 1, value)) })
    expect(asked(0, 9)).toThrow('is none of this version')
    expect(asked(1, 'another')).toThrow('belongs to another log')
    expect(asked(2, 2)).toThrow('was given before the log was restored')
    expect(asked(6, true)).toThrow('is no page token')
    expect(asked(7, '-1')).toThrow('is no page token')
    expect(asked(7, '9223372036854775807')).not.toThrow()
    expect(asked(7, '9223372036854775808')).toThrow('is no page token')
  })

  test('D8: what leaves many is the same rows in the same order, and counted the same', { timeout: 60_000 }, () => {
    const moment = { now: 1e12, unheard: [] }
    const all = pages(many, { ...moment, pageSize: 1_000 })
    expect(all).toHaveLength(12_000)
    for (const filter of WIDE) {
      const left = all.filter((view) => holds(filter, view))
      const count = many.ask((session) => countAsked(session, { ...moment, filter }))
      expect([filter, count.isExact ? count.count : left.length]).toEqual([filter, left.length])
      if (left.length < 10_000) {
        const facets = many.ask((session) => facetsAsked(session, { ...moment, filter }))
        expect([filter, facets]).toEqual([filter, facetsOf(left)])
      }
      for (const sort of OPERATION_SORTS) {
        const first = list(many, { ...moment, filter, sort, pageSize: 70 })
        const { nextPageToken: pageToken } = first
        const second =
          pageToken === undefined ? undefined : list(many, { ...moment, filter, sort, pageSize: 70, pageToken })
        const numbers = [...first.operations, ...(second?.operations ?? [])].map(({ number }) => number)
        expect([filter, sort, numbers]).toEqual([filter, sort, firstOf(sort, left, 140)])
        expect(second?.newer ?? 0).toBe(0)
      }
    }
  })

  test.each(OPERATION_SORTS.flatMap((sort) => PLANNED.map((filter) => [sort, filter] as const)))(
    'D8: a filter that leaves many is read along an index, sorting nothing: %s of %o',
    (sort, filter) => {
      const plans = many.ask((session) => {
        const found: string[] = []
        listAsked(
          {
            ...session,
            all: (sql, parameters) => {
              const rows = session.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, parameters)
              found.push(...rows.map(({ detail }) => detail))
              return session.all(sql, parameters)
            },
          },
          { ...MOMENT, filter, sort },
        )
        return found
      })
      expect(plans.filter((step) => step.includes('SCAN o') && !step.includes('USING INDEX'))).toEqual([])
      expect(plans.filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
    },
  )
})

/** Filters that leave thousands, or by themselves nothing. */
const WIDE: readonly OperationFilter[] = [
  ...PLANNED,
  { problemClasses: ['terminal_follow_up'] },
  { attention: true },
  { freshness: ['likely_stale', 'terminal'] },
  { workspaces: ['default'], text: 'id-1' },
  { labels: { team: 'billing' }, kinds: ['export'] },
  { attention: true, reconciled: true },
]

/** So many that no everyday condition leaves few. */
const many = followed(OPERATION_INDEX, { batch: 6_000, keptRowsMax: 20_000 })
many.project([
  ...Array.from({ length: 12_000 }, (_, i) => born(i + 1, { labels: { team: 'billing' } })),
  ...Array.from({ length: 6_000 }, (_, i) =>
    follow(20_000 + i, {
      type: 'OperationFailed',
      facts: { ...of(i + 1), sequence: i + 1 },
      content: { error: { message: 'no' } },
    }),
  ),
  ...Array.from({ length: 6_000 }, (_, i) =>
    follow(30_000 + i, {
      type: 'OperationStarted',
      facts: { ...of(12_000 - i), attempt: 1 },
      content: {},
    }),
  ),
])
afterAll(() => many[Symbol.dispose]())

function of(number: number) {
  return { id: `id-${number}`, number }
}

/** A registration at a time of its own. */
function born(
  position: number,
  content: { labels?: Record<string, string>; name?: string } = {},
  provisioningTimeoutMs = DEFAULT_POLICY.provisioningTimeoutMs,
): ProjectedEvent {
  const birth = registered(position, 'export')
  const policy = { ...DEFAULT_POLICY, provisioningTimeoutMs }
  // Its facts are those of a registration, as `registered` made them.
  const event = { ...birth.event, facts: { ...birth.event.facts, policy }, content } as LifecycleEvent
  return { ...birth, event }
}

function follow(position: number, event: LifecycleEvent): ProjectedEvent {
  return { ...registered(position, ''), event }
}

function byNumber(views: readonly ListedOperation[]): readonly number[] {
  return views.map(({ number }) => number).sort((one, other) => one - other)
}

/** Numbers of the first so many; of equal ones, as their registrations lie in the log. */
function firstOf(sort: OperationSort, views: readonly ListedOperation[], count: number): readonly number[] {
  const sign = sort === 'newest_activity' ? -1 : 1
  return views
    .filter((view) => isAmong(sort, view))
    .sort((one, other) => sortValue(sort, one) - sortValue(sort, other) || sign * (one.number - other.number))
    .slice(0, count)
    .map(({ number }) => number)
}

function facetsOf(views: readonly ListedOperation[]) {
  const exact = (count: number) => ({ count, isExact: true })
  const tally = (names: readonly (string | undefined)[]) => {
    const groups = Map.groupBy(
      names.filter((name) => name !== undefined),
      (name) => name,
    )
    return Object.fromEntries([...groups].map(([name, all]) => [name, exact(all.length)]))
  }
  const each = (all: readonly string[], names: readonly string[]) =>
    Object.fromEntries(all.map((one) => [one, exact(names.filter((name) => name === one).length)]))
  return {
    statuses: tally(views.map(({ status }) => status)),
    kinds: tally(views.map(({ kind }) => kind)),
    reasonCodes: tally(views.map(reasonCodeOf)),
    freshness: each(
      FRESHNESSES,
      views.map(({ judgement }) => judgement.freshness),
    ),
    problemClasses: each(
      PROBLEM_CLASSES,
      views.map(({ problemClass }) => problemClass),
    ),
  }
}
