import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  activeByKindAsked,
  dueAsked,
  LIVENESS,
  nextDueAsked,
  raisedAsked,
  unattendedAsked,
} from '../../projections/liveness.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import { earliestDeadline } from '../../src/authority/deadlines.ts'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import { judge } from '../../src/authority/freshness.ts'
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
        const rows = file.ask((session) => dueAsked(session, { until: FAR }))
        expect(rows.map(({ operation }) => standing(operation))).toEqual(due.sort(byDeadline).map(standing))
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
    const due = (question: Partial<Parameters<typeof dueAsked>[1]>) =>
      file.ask((session) => dueAsked(session, { until: FAR, ...question }))
    const all = due({})
    expect(all.map(deadlineAt)).toEqual(Array.from({ length: 30 }, (_, i) => 1_000 * (i + 1)))
    expect(due({ until: 5_000 })).toEqual(all.slice(0, 5))
    expect(due({ scope: { kinds: ['export'], owners: ['a'], workspaces: ['default'] } })).toHaveLength(5)
    const first = due({ limit: 12 })
    const { stream, operation } = first[11] as (typeof first)[0]
    const after = { reconcileAt: 12_000, stream, number: operation.number }
    expect([...first, ...due({ after })]).toEqual(all)
    expect(file.ask((session) => nextDueAsked(session, 7_000))).toBe(8_000)
    expect(file.ask((session) => nextDueAsked(session, 30_000))).toBeUndefined()
  })

  test.each([
    [{ limit: 0 }, 'a page of due operations has 1 to 1000, got 0'],
    [{ scope: { kinds: [] } }, '1 to 100 values of kind may be named, got 0'],
  ])('are not asked for in a silly way: %o', (question, message) => {
    using file = followed(LIVENESS)
    expect(() => file.ask((session) => dueAsked(session, { until: FAR, ...question }))).toThrow(message)
  })

  test('are under attention from when it is raised to when it is cleared, and only once for a rule', () => {
    using file = followed(LIVENESS)
    const unattended = (until: number) => ids(file.ask((session) => unattendedAsked(session, until)))
    const raised = () => ids(file.ask((session) => raisedAsked(session)))
    file.project([queued(1, 'export', 1_000), queued(2, 'export', 2_000)])
    expect(unattended(999)).toEqual([])
    expect(unattended(2_000)).toEqual(['id-1', 'id-2'])
    file.project([follow(3, { type: 'AttentionRaised', facts: { ...of(1), attempt: 1, rule: 'queued' }, content: {} })])
    expect(unattended(2_000)).toEqual(['id-2'])
    expect(raised()).toEqual(['id-1'])
    file.project([
      follow(4, { type: 'AttentionCleared', facts: { ...of(1), attempt: 1, rule: 'queued' }, content: {} }),
    ])
    expect(raised()).toEqual([])
    expect(unattended(2_000)).toEqual(['id-2'])
  })

  test('are forgotten when they end, whatever is said of them afterwards', () => {
    using file = followed(LIVENESS)
    const error = { message: 'no' }
    file.project([
      queued(1, 'export', 1_000),
      follow(2, { type: 'OperationFailed', facts: { ...of(1), sequence: 1 }, content: { error } }),
      follow(3, { type: 'ContradictionRecorded', facts: { ...of(1), claimed: 'completed' }, content: {} }),
    ])
    expect(file.ask((session) => dueAsked(session, { until: FAR }))).toEqual([])
    expect(file.ask(activeByKindAsked)).toEqual(new Map())
  })
})

const of = (number: number) => ({ id: `id-${number}`, number })
const ids = (rows: readonly { readonly operation: Operation }[]) => rows.map(({ operation }) => operation.id)
const deadlineAt = ({ operation }: { readonly operation: Operation }) => earliestDeadline(operation)?.deadlineAt

/** Registered at 0, to be claimed within a time. */
function queued(position: number, kind: string, provisioningTimeoutMs: number): ProjectedEvent {
  const birth = registered(position, kind)
  const policy: Policy = { ...DEFAULT_POLICY, provisioningTimeoutMs }
  // Its facts are those of a registration, as `registered` made them.
  const event = { ...birth.event, facts: { ...birth.event.facts, policy } } as LifecycleEvent
  return { ...birth, event, metadata: { ...birth.metadata, at: 0 } }
}

function follow(position: number, event: LifecycleEvent): ProjectedEvent {
  return { ...registered(position, ''), event }
}

function standing(operation: Operation) {
  const { id, number, kind, attempt, status, lastRevision, lease, lastSignAt } = operation
  const judgement = [0, 50, 400_000, 1e9].map((now) => judge(operation, now, 0))
  return { id, number, kind, attempt, status, lastRevision, lease, lastSignAt, judgement }
}

function byDeadline(one: Operation, other: Operation): number {
  const at = (operation: Operation) =>
    (earliestDeadline(operation)?.deadlineAt ?? 0) + (operation.policy?.reconcileDelayMs ?? 0)
  return at(one) - at(other) || one.number - other.number
}
