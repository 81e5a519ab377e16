import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIVENESS } from '../../projections/liveness.ts'
import {
  activeByKindAsked,
  dueAsked,
  earliestDueAsked,
  lateAsked,
  newestTimeAsked,
  overdueWaitsAsked,
  recoveredAsked,
} from '../../projections/liveness-questions.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import { earliestDeadline } from '../../src/authority/deadlines.ts'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/authority/lifecycle-policy.ts'
import type { Operation } from '../../src/authority/operation.ts'
import { isTerminal } from '../../src/authority/status.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const FAR = Number.MAX_SAFE_INTEGER

describe('the operations under way', () => {
  test('B3: are those of the registry, with its deadlines, in any history', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.integer({ min: 1, max: 9 }), (given, sent, seed, batch) => {
        const { history, state } = historyOf(given, sent, seed)
        using file = followed(LIVENESS, { batch })
        file.project(projected(history))
        const active = [...state.operations.values()].filter(({ status }) => !isTerminal(status))
        const due = active.filter((operation) => earliestDeadline(operation) !== undefined)
        const rows = file.ask((session) => dueAsked(session, FAR))
        expect(rows.map(({ number, deadline }) => [number, deadline])).toEqual(
          due.sort(byDeadline).map((operation) => [operation.number, earliestDeadline(operation)]),
        )
        expect(rows.map(standing)).toEqual(due.map(standing))
        const waits = [...state.waits.values()].sort((one, other) => one.deadlineAt - other.deadlineAt)
        const underWay = file.ask((session) => overdueWaitsAsked(session, FAR))
        expect(new Set(underWay.map(({ waitId }) => waitId))).toEqual(new Set(waits.map(({ waitId }) => waitId)))
        expect(underWay.map(({ deadlineAt }) => deadlineAt)).toEqual(waits.map(({ deadlineAt }) => deadlineAt))
        const deadlines = [
          ...due.map((one) => earliestDeadline(one)?.deadlineAt ?? FAR),
          ...waits.map((one) => one.deadlineAt),
        ]
        const first = deadlines.length === 0 ? undefined : Math.min(...deadlines)
        expect(file.ask((session) => earliestDueAsked(session, -1))).toBe(first)
        expect(file.ask(newestTimeAsked)).toBe(Math.max(0, ...history.map(({ metadata }) => metadata.at)))
        const counted = [...file.ask(activeByKindAsked).values()].reduce((sum, count) => sum + count, 0)
        expect(counted).toBe(active.length)
      }),
      { numRuns: 60 },
    )
  })

  test('are asked for longest due first, page by page, and by scope', () => {
    using file = followed(LIVENESS)
    file.project(
      Array.from({ length: 30 }, (_, i) => ({
        ...queued(i + 1, i % 3 === 0 ? 'export' : 'sync', 1_000 * (30 - i)),
        stream: `registry-default/${i % 2 === 0 ? 'a' : 'b'}`,
        owner: i % 2 === 0 ? 'a' : 'b',
        revision: i,
      })),
    )
    const due = (...[until, ...question]: Parameters<typeof dueAsked> extends [unknown, ...infer P] ? P : never) =>
      file.ask((session) => dueAsked(session, until, ...question))
    const all = due(FAR)
    expect(all.map(({ deadline }) => deadline.deadlineAt)).toEqual(
      Array.from({ length: 30 }, (_, i) => 1_000 * (i + 1)),
    )
    expect(due(5_000)).toEqual(all.slice(0, 5))
    expect(due(FAR, { kinds: ['export'], owners: ['a'], workspaces: ['default'] })).toHaveLength(5)
    expect(due(FAR, { kinds: [] })).toEqual([])
    for (const nobody of [{ kinds: [] }, { owners: [] }, { workspaces: [] }]) {
      expect(file.ask((session) => recoveredAsked(session, 0, nobody))).toEqual([])
      expect(file.ask((session) => overdueWaitsAsked(session, FAR, nobody))).toEqual([])
    }
    const first = due(FAR, {}, 12)
    const { stream, number } = first[11] as (typeof first)[0]
    expect([...first, ...due(FAR, {}, 1_000, { at: 12_000, stream, number })]).toEqual(all)
    expect(file.ask((session) => earliestDueAsked(session, 7_000))).toBe(8_000)
    expect(file.ask((session) => earliestDueAsked(session, 30_000))).toBeUndefined()
  })

  test('are asked for in bounded pages and scopes only', () => {
    using file = followed(LIVENESS)
    const many = Array.from({ length: 1_001 }, (_, i) => `kind-${i}`)
    expect(() => file.ask((session) => dueAsked(session, FAR, {}, 0))).toThrow('a page has 1 to 1000 rows, got 0')
    expect(() => file.ask((session) => dueAsked(session, FAR, { kinds: many }))).toThrow(
      'at most 1000 values of kind may be named, got 1001',
    )
  })

  test('are late before they are due, where their rule knows lateness', () => {
    using file = followed(LIVENESS)
    const policy = { ...DEFAULT_POLICY, lateAfterMs: 100, staleAfterMs: 200 }
    file.project([
      queued(1, 'export', 1_000, policy),
      follow(2, { type: 'OperationStarted', facts: { ...of(1), attempt: 1 }, content: {} }),
      follow(3, { type: 'SignsOfLifeRecorded', facts: { signs: [[1, 0]] }, content: {} }),
    ])
    const late = (until: number) => ids(file.ask((session) => lateAsked(session, until)))
    expect([149, 150, 249, 250].map(late)).toEqual([[], ['id-1'], ['id-1'], []])
    expect(ids(file.ask((session) => dueAsked(session, 250)))).toEqual(['id-1'])
  })

  test('have recovered when they are under attention and their deadline is ahead, page by page', () => {
    using file = followed(LIVENESS)
    const recovered = (at: number) => ids(file.ask((session) => recoveredAsked(session, at)))
    file.project([queued(1, 'export', 1_000), queued(2, 'export', 2_000)])
    expect(recovered(0)).toEqual([])
    file.project([
      follow(3, { type: 'AttentionRaised', facts: { ...of(1), attempt: 1, rule: 'queued' }, content: {} }),
      follow(4, { type: 'AttentionRaised', facts: { ...of(2), attempt: 1, rule: 'queued' }, content: {} }),
    ])
    expect(recovered(999)).toEqual(['id-1', 'id-2'])
    expect(recovered(1_000)).toEqual(['id-2'])
    const behind = { stream: registered(1, '').stream, number: 1 }
    expect(ids(file.ask((session) => recoveredAsked(session, 0, {}, 1_000, behind)))).toEqual(['id-2'])
    file.project([
      follow(5, { type: 'AttentionCleared', facts: { ...of(1), attempt: 1, rule: 'queued' }, content: {} }),
    ])
    expect(recovered(0)).toEqual(['id-2'])
  })

  test('are forgotten when they end, whatever is said of them afterwards', () => {
    using file = followed(LIVENESS)
    const error = { message: 'no' }
    file.project([
      queued(1, 'export', 1_000),
      follow(2, { type: 'OperationFailed', facts: { ...of(1), sequence: 1 }, content: { error } }),
      follow(3, { type: 'ContradictionRecorded', facts: { ...of(1), claimed: 'completed' }, content: {} }),
    ])
    expect(file.ask((session) => dueAsked(session, FAR))).toEqual([])
    expect(file.ask(activeByKindAsked)).toEqual(new Map())
  })
})

const of = (number: number) => ({ id: `id-${number}`, number })
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id)

/** Registered at 0, to be claimed within a time. */
function queued(
  position: number,
  kind: string,
  provisioningTimeoutMs: number,
  more: Policy = DEFAULT_POLICY,
): ProjectedEvent {
  const birth = registered(position, kind)
  const policy: Policy = { ...more, provisioningTimeoutMs }
  // Its facts are those of a registration, as `registered` made them.
  const event = { ...birth.event, facts: { ...birth.event.facts, policy } } as LifecycleEvent
  return { ...birth, event, metadata: { ...birth.metadata, at: 0 } }
}

function follow(position: number, event: LifecycleEvent): ProjectedEvent {
  const { metadata, ...place } = registered(position, '')
  return { ...place, event, metadata: { ...metadata, at: 0 } }
}

function standing({ id, number, kind, attempt, status, lastRevision, lastSignAt, attention, policy }: Standing) {
  return { id, number, kind, attempt, status, lastRevision, lastSignAt, attention, policy }
}

type Standing = Pick<
  Operation,
  'id' | 'number' | 'kind' | 'attempt' | 'status' | 'lastRevision' | 'attention' | 'policy'
> & {
  readonly lastSignAt?: number
}

function byDeadline(one: Operation, other: Operation): number {
  const at = (operation: Operation) => earliestDeadline(operation)?.deadlineAt ?? 0
  return at(one) - at(other) || one.number - other.number
}
