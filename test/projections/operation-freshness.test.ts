import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIVENESS } from '../../projections/liveness.ts'
import { dueAsked, lateAsked } from '../../projections/liveness-questions.ts'
import { operationGaugesAsked } from '../../projections/metric-questions.ts'
import { facetsAsked } from '../../projections/operation-facets.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { countAsked, listAsked, operationAsked } from '../../projections/operation-questions.ts'
import { graceMsFor } from '../../src/authority/grace.ts'
import { FRESHNESSES } from '../../src/authority/monitoring-filters.ts'
import { viewOf } from '../../src/authority/operation-view.ts'
import { isActive } from '../../src/authority/status.ts'
import { judgeCandidate } from '../../src/reconciler/judgement.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Around the deadlines of the default policy, which count from a time near 0. */
const times = fc.oneof(
  fc.constantFrom(45, 80, 30_100, 150_060, 187_500, 375_080, 24 * HOUR + 60, 26 * HOUR, 1e12),
  fc.integer({ min: 40, max: 30 * HOUR }),
)
const unheard = fc.array(
  fc
    .tuple(times, fc.constantFrom(1, 20, MINUTE, HOUR, 24 * HOUR))
    .map(([from, lengthMs]) => ({ from, to: from + lengthMs })),
  { maxLength: 4 },
)

describe('freshness', () => {
  test('B3: list, facets, filters, metrics, snapshot and reconciler judge alike, at any time and with any time unheard', async () => {
    await fc.assert(
      fc.asyncProperty(
        limits,
        wishes,
        fc.integer(),
        fc.array(fc.tuple(times, unheard), { minLength: 4, maxLength: 4 }),
        async (given, sent, seed, moments) => {
          const { history, state } = historyOf(given, sent, seed)
          using file = followed(OPERATION_INDEX)
          file.project(projected(history))
          using liveness = followed(LIVENESS)
          liveness.project(projected(history))
          const active = [...state.operations.values()].filter(({ status }) => isActive(status))
          for (const [now, lost] of moments) {
            const moment = { now, unheard: lost }
            const views = active.map((operation) => viewOf(operation, now, graceMsFor(operation, lost, now)))
            for (const { number, judgement, explanation, problemClass } of views) {
              const question = { ...moment, stream: 'registry-default/a', number }
              expect(file.ask((session) => operationAsked(session, question))).toMatchObject({
                judgement,
                explanation,
                problemClass,
              })
            }
            const numbersOf = (freshness: string) =>
              views.filter(({ judgement }) => judgement.freshness === freshness).map(({ number }) => number)
            const { freshness: counts } = file.ask((session) => facetsAsked(session, { ...moment, filter: {} }))
            const { freshness: looked } = file.ask((session) =>
              facetsAsked(session, { ...moment, filter: { owners: ['a'] } }),
            )
            for (const freshness of FRESHNESSES) {
              const filter = { freshness: [freshness] }
              const { operations } = file.ask((session) => listAsked(session, { ...moment, filter, pageSize: 1_000 }))
              const count = { count: operations.length, isExact: true }
              expect(file.ask((session) => countAsked(session, { ...moment, filter }))).toEqual(count)
              expect([counts[freshness], looked[freshness]]).toEqual([count, count])
              if (freshness === 'reconciled' || freshness === 'terminal') continue
              expect(sorted(operations.map(({ number }) => number))).toEqual(sorted(numbersOf(freshness)))
            }
            const suspects = liveness.ask((session) => [...dueAsked(session, now), ...lateAsked(session, now)])
            const verdicts = suspects.map((one) => ({
              number: one.number,
              type: judgeCandidate(one, null, { now, unheard: lost, fraction: 0 }).type,
            }))
            const judged = (types: readonly string[]) =>
              sorted(verdicts.filter(({ type }) => types.includes(type)).map(({ number }) => number))
            expect(judged(['stale', 'reconcile'])).toEqual(sorted(numbersOf('likely_stale')))
            expect(judged(['late'])).toEqual(sorted(numbersOf('late')))
            const gauges = file.ask((session) => operationGaugesAsked(session, moment))
            const deadlines = views
              .filter(({ judgement }) => judgement.freshness === 'likely_stale')
              .map(({ judgement }) => judgement.deadlineAt ?? now)
            expect(gauges.freshness.likely_stale).toBe(deadlines.length)
            expect(gauges.oldestDeadlineAt).toBe(deadlines.length === 0 ? undefined : Math.min(...deadlines))
          }
        },
      ),
      { numRuns: 60 },
    )
  }, 120_000)

  test('B3: metrics count operations by kind and status over all workspaces and owners', () => {
    using file = followed(OPERATION_INDEX)
    const aborted = registered(4, '')
    file.project([
      registered(1, 'export'),
      registered(2, 'export', 'registry-other/b', 0),
      registered(3, 'sync'),
      { ...aborted, event: { type: 'OperationAborted', facts: { id: 'id-1', number: 1, sequence: 1 }, content: {} } },
    ])
    const moment = { now: 100, unheard: [] }
    expect(file.ask((session) => operationGaugesAsked(session, moment))).toEqual({
      operations: [
        { kind: 'export', status: 'aborted', count: 1 },
        { kind: 'export', status: 'provisioning', count: 1 },
        { kind: 'sync', status: 'provisioning', count: 1 },
      ],
      freshness: { fresh: 0, late: 0, likely_stale: 0, reconciled: 0, terminal: 1, no_policy: 2 },
      oldestDeadlineAt: undefined,
    })
  })

  test('B3: each row says in a sentence what is missing and what will come of it, with the grace of that row', () => {
    using file = followed(OPERATION_INDEX)
    const { history, state } = historyOf(
      { ...LIMITS },
      [
        () => ({ type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }),
        ({ operations }) => ({
          type: 'RecordHeartbeat',
          id: 'a',
          leaseEpoch: operations.get('a')?.lease?.epoch ?? 0,
        }),
      ],
      0,
    )
    file.project(projected(history))
    const { lastSignAt = 0 } = state.operations.get('a') ?? {}
    const told = (now: number, unheard: { from: number; to: number }[]) =>
      file.ask((session) => listAsked(session, { now, unheard })).operations.map(({ explanation }) => explanation)
    const now = lastSignAt + 4 * MINUTE + 10_000
    expect(told(now, [])).toEqual([
      'No heartbeat for 4 min 10 s; this kind is reconciled after 6 min 15 s, in 2 min 5 s.',
    ])
    // A minute unheard, and two heartbeats for whoever lives.
    expect(told(now, [{ from: now - 2 * MINUTE, to: now - MINUTE }])).toEqual([
      'No heartbeat for 4 min 10 s; this kind is reconciled after 9 min 15 s, in 5 min 5 s.',
    ])
  })
})

const LIMITS = {
  maxConcurrent: null,
  maxCompleted: 4,
  maxActiveWaits: null,
  activeCeiling: 100,
  tombstones: 3,
  feedRetention: 3,
  commandMemory: { ms: 10, min: 1, max: 4 },
  endedWaits: 2,
}

function sorted(numbers: readonly number[]): readonly number[] {
  return numbers.toSorted((one, other) => one - other)
}
