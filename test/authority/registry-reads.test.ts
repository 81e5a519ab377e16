import { describe, expect, test } from 'vitest'
import type { RecordedEvent } from '../../src/authority/events.ts'
import { leaseStanding } from '../../src/authority/lease-standing.ts'
import { PersistentQueue } from '../../src/authority/persistent-queue.ts'
import { type FeedRow, feedPlaceAfter, firstWaitDeadline, operationByNumber } from '../../src/authority/registry.ts'
import { plainOf, registryOf } from '../../src/authority/registry-snapshot.ts'
import { backoffMs } from '../../src/authority/retry-backoff.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { isTerminal, PRESENT_STATUSES, RESULT_CLASSES, STATUSES, statusesOf } from '../../src/authority/status.ts'
import { outcomeIn } from '../../src/authority/terminal-facts.ts'
import { ACCEPTED } from './support/accepted-commands.ts'

describe('a snapshot', () => {
  const ids = ['d', 'c', 'b', 'a']
  /** Something of everything that a registry keeps, in another order than that of its names. */
  const full = ids
    .reduce<Specification>(
      (before, id) => before.given({ type: 'RegisterOperation', id, kind: 'k', key: `key of ${id}` }),
      specification({ limits: { maxCompleted: 1, feedRetention: 1 } }),
    )
    .given(
      { type: 'RegisterOperation', id: 'plain', kind: 'k' },
      { type: 'CancelOperation', id: 'b' },
      { type: 'CancelOperation', id: 'c' },
      { type: 'BeginWaitAll', waitId: 'z', ids: ['b', 'c', 'a'], deadlineAt: 2_000_000 },
      { type: 'BeginWaitAny', waitId: 'x', ids: ['d', 'a'] },
      { type: 'BeginWaitAll', waitId: 'over', ids: ['a'] },
      { type: 'BeginWaitAll', waitId: 'also', ids: ['a'] },
      { type: 'CancelWait', waitId: 'over' },
      { type: 'CancelWait', waitId: 'also' },
    )
  const retired = full.given({ type: 'RetireOwner', reason: 'gone' })

  test('A20: is plain data, each part in the order in which it came', () => {
    const plain = plainOf(full.state)
    expect(JSON.parse(JSON.stringify(plain))).toEqual(plain)
    expect(plain).toMatchObject({
      registryId: 'registry',
      retired: null,
      operations: [{ id: 'd' }, { id: 'c' }, { id: 'a' }, { id: 'plain' }],
      tombstones: [{ id: 'b' }],
      retained: ['c'],
      feed: [{ id: 'c', sequence: 2 }],
      feedDroppedThrough: 1,
      waits: [
        {
          waitId: 'z',
          reached: [
            [2, 7],
            [3, 6],
          ],
        },
        { waitId: 'x', reached: [] },
      ],
      endedWaits: [{ waitId: 'over' }, { waitId: 'also' }],
    })
    expect(plain.commands.map(({ commandId }) => commandId).slice(0, 3)).toEqual(['opening', 'command-1', 'command-2'])
    expect(plainOf(retired.state)).toMatchObject({
      retired: { at: retired.at, reason: 'gone' },
      tombstones: [{ id: 'b' }, { id: 'c' }, { id: 'd' }, { id: 'a' }],
    })
  })

  test.each(Object.entries(ACCEPTED))('A20: has everything that was folded: %s', (_what, [before, command]) => {
    const { state } = before.when(command).next
    const restored = registryOf(JSON.parse(JSON.stringify(plainOf(state))))
    expect(contentsOf(restored)).toEqual(contentsOf(state))
  })

  test('A20: of a registry with everything in it has everything', () => {
    for (const { state } of [full, retired, specification({ open: false })]) {
      expect(contentsOf(registryOf(JSON.parse(JSON.stringify(plainOf(state)))))).toEqual(contentsOf(state))
    }
  })

  test('A9: knows when the first of its waits is over', () => {
    expect(registryOf(plainOf(full.state)).waitsExpireFrom).toBe(2_000_000)
  })

  test('is not made of a state that names what it does not hold', () => {
    const retained = full.state.buried
    expect(() => plainOf({ ...specification().state, buried: retained })).toThrow(
      'the registry orders b, but does not hold it',
    )
  })
})

/** Every part of a state, its maps and queues as plain entries; when waits are to be looked at is told anew. */
function contentsOf(state: Specification['state']): object {
  return Object.fromEntries(
    Object.entries({ ...state, waitsExpireFrom: firstWaitDeadline(state.waits) }).map(([name, part]) => {
      if (name === 'waits' || name === 'endedWaits') {
        const waits = [...state[name].values()].map((wait) => ({ ...wait, reached: [...wait.reached].sort() }))
        return [name, waits.sort((one, other) => (one.waitId < other.waitId ? -1 : 1))]
      }
      return [
        name,
        part !== null && typeof part === 'object' && Symbol.iterator in part
          ? [...(part as Iterable<unknown>)].map((one) => JSON.stringify(one)).sort()
          : part,
      ]
    }),
  )
}

describe('reads of a registry', () => {
  test('find an operation by number, in this life only', () => {
    const { state } = specification().given({ type: 'RegisterOperation', id: 'a', kind: 'k' })
    expect(operationByNumber(state, 1)?.id).toBe('a')
    expect(operationByNumber(state, 2)).toBeUndefined()
    expect(operationByNumber({ ...state, ids: state.ids.set(2, 'a') }, 2)).toBeUndefined()
  })

  test('A15: find the first feed row above a sequence, gaps and dropped rows or not', () => {
    const rows = [3, 4, 7, 8, 12].map((sequence) => ({ sequence }) as FeedRow)
    const feed = rows.reduce((queue, row) => queue.push(row), PersistentQueue.empty<FeedRow>())
    const rowAfter = (of: typeof feed, sequence: number) => of.at(feedPlaceAfter(of, sequence))?.sequence
    expect([0, 2, 3, 4, 5, 6, 7, 8, 11, 12, 99].map((one) => rowAfter(feed, one))).toEqual([
      3,
      3,
      4,
      7,
      7,
      7,
      8,
      12,
      12,
      undefined,
      undefined,
    ])
    expect([0, 3, 4, 12].map((one) => rowAfter(feed.shift().shift(), one))).toEqual([7, 7, 7, undefined])
    expect(feedPlaceAfter(PersistentQueue.empty<FeedRow>(), 1)).toBe(0)
  })
})

describe('a lease', () => {
  const running = { number: 5, lease: { epoch: 6, open: true } }
  test.each([
    ['held', running, 6],
    ['cancel_requested', { ...running, cancel: {} }, 6],
    ['ended', undefined, 6],
    ['ended', { number: 5, lease: { epoch: 6, open: false } }, 6],
    ['ended', { number: 5, lease: { epoch: 6, open: false }, cancel: {} }, 6],
    ['ended', running, 4],
    ['attempt_lost', { number: 5 }, 6],
    ['attempt_lost', { ...running, lease: { epoch: 8, open: true } }, 6],
    ['attempt_lost', { ...running, lease: { epoch: 8, open: true } }, 5],
  ] as const)('A23: is %s', (standing, operation, epoch) => {
    expect(leaseStanding(operation, epoch)).toBe(standing)
  })
})

test('an attempt waits longer each time, up to a bound, a part of it left to chance', () => {
  const backoff = { initialMs: 100, factor: 3, maxMs: 1_000, jitter: 0.25 }
  expect([1, 2, 3, 4].map((attempt) => backoffMs(backoff, attempt, 0))).toEqual([100, 300, 900, 1_000])
  expect([0, 0.5, 1].map((fraction) => backoffMs(backoff, 2, fraction))).toEqual([300, 263, 225])
})

test('result classes name their statuses, and each status is in one', () => {
  expect(RESULT_CLASSES.map(statusesOf)).toEqual([
    ['provisioning', 'running', 'retiring'],
    ['completed'],
    ['failed', 'terminated'],
    ['aborted', 'cancelled', 'retired'],
  ])
  expect(RESULT_CLASSES.flatMap(statusesOf).sort()).toEqual([...PRESENT_STATUSES].sort())
  expect(STATUSES.filter(isTerminal)).toEqual(['completed', 'failed', 'aborted', 'cancelled', 'retired', 'terminated'])
})

test('an event tells the outcome that it brings, or none', () => {
  const outcomes = Object.values(ACCEPTED).flatMap(([before, command]) => {
    const { state, history } = before.when(command).next
    const { event } = history.at(-1) as RecordedEvent
    const told = outcomeIn(event)
    if (event.type !== 'RegistrationRolledBack') {
      const outcome = state.operations.get('a')?.outcome
      if (told !== undefined && outcome !== undefined) expect(told).toStrictEqual(outcome)
    }
    return told === undefined ? [] : [event.type]
  })
  expect(new Set(outcomes)).toEqual(
    new Set([
      'OperationFailed',
      'OperationAborted',
      'OperationCompleted',
      'OperationCancelled',
      'OperationRetired',
      'OwnerTerminated',
    ]),
  )
})
