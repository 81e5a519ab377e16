import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EMPTY_HISTOGRAM, quantileOf, withDuration } from '../../projections/duration-histogram.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import { ratesAsked } from '../../projections/rate-questions.ts'
import { NO_TRANSITIONS, RATES } from '../../projections/rates.ts'
import type { LifecycleEvent, RecordedEvent } from '../../src/authority/events.ts'
import { numbersOf } from '../../src/authority/evolve.ts'
import type { RatesQuestion, Transition } from '../../src/authority/monitoring.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { type Followed, followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const STREAM = 'registry-default/a'
const NOON = Date.UTC(2026, 10, 21, 12)
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const QUESTION: RatesQuestion = { workspaces: ['default'], fromAt: NOON, untilAt: NOON + 2 * HOUR, step: 'minute' }

function asked(file: Followed, question: Partial<RatesQuestion> = {}) {
  return file.ask((session) => ratesAsked(session, { ...QUESTION, ...question }))
}

/** An operation's life in one registry: registered, claimed, completed, at these times. */
function life(number: number, kind: string, times: readonly [number, number?, number?]): readonly ProjectedEvent[] {
  const facts = { id: `id-${number}`, number }
  const followers: readonly LifecycleEvent[] = [
    { type: 'OperationStarted', facts: { ...facts, attempt: 1 }, content: {} },
    { type: 'OperationCompleted', facts: { ...facts, sequence: 1 }, content: { result: 1 } },
  ]
  const birth = registered(number, kind, STREAM, number)
  return times.map((at, i) => {
    const event = followers[i - 1] ?? birth.event
    const position = birth.position + BigInt(i)
    return { ...birth, position, revision: number + i, event, metadata: { ...birth.metadata, at: at ?? 0 } }
  })
}

describe('the rates of what happens', () => {
  test('D8: count transitions by kind and minute', () => {
    using file = followed(RATES)
    file.project([
      ...life(10, 'export', [NOON, NOON + 5 * SECOND, NOON + 70 * SECOND]),
      ...life(20, 'sync', [NOON + MINUTE - 1]),
      ...life(30, 'export', [NOON + 10 * SECOND]),
    ])
    expect(asked(file).map(({ kind, fromAt, counts }) => ({ kind, fromAt: fromAt - NOON, counts }))).toEqual([
      { kind: 'export', fromAt: 0, counts: { ...NO_TRANSITIONS, registered: 2, started: 1 } },
      { kind: 'export', fromAt: MINUTE, counts: { ...NO_TRANSITIONS, completed: 1 } },
      { kind: 'sync', fromAt: 0, counts: { ...NO_TRANSITIONS, registered: 1 } },
    ])
    expect(asked(file, { kinds: ['sync'] })).toHaveLength(1)
    expect(asked(file, { workspaces: ['other'] })).toEqual([])
  })

  test('D8: sum the workspaces that are named, or all there are', () => {
    using file = followed(RATES)
    const elsewhere = (workspace: string, number: number) =>
      life(number, 'export', [NOON]).map((event) => ({ ...event, workspace, stream: `registry-${workspace}/a` }))
    file.project([...life(10, 'export', [NOON]), ...elsewhere('b', 20), ...elsewhere('c', 30), ...elsewhere('c', 40)])
    const registrations = (workspaces?: string[]) =>
      file
        .ask((session) => ratesAsked(session, { ...QUESTION, workspaces }))
        .map(({ kind, counts }) => `${kind} ${counts.registered}`)
    expect(registrations(['c'])).toEqual(['export 2'])
    expect(registrations(['b', 'c'])).toEqual(['export 3'])
    expect(registrations()).toEqual(['export 4'])
  })

  test.each([
    ['5 minutes', 2],
    ['hour', 2],
    ['day', 1],
  ] as const)('D8: add up by the step of a %s', (step, points) => {
    using file = followed(RATES)
    const later = step === '5 minutes' ? 6 * MINUTE : HOUR
    file.project([
      ...life(10, 'export', [NOON, NOON + SECOND, NOON + 2 * SECOND]),
      ...life(20, 'export', [NOON + later]),
    ])
    const series = asked(file, { step })
    expect(series).toHaveLength(points)
    expect(series.reduce((sum, { counts }) => sum + counts.registered, 0)).toBe(2)
    expect(series[0]?.counts).toMatchObject({ started: 1, completed: 1 })
  })

  test('D8: tell how long operations waited and ran, to within 4.5 per cent', () => {
    using file = followed(RATES)
    file.project(
      Array.from({ length: 100 }, (_, i) =>
        life(10 * (i + 1), 'export', [NOON, NOON + (i + 1) * 100, NOON + (i + 1) * 300]),
      ).flat(),
    )
    const [point] = asked(file)
    const within = (actual: number | undefined, expected: number) =>
      expect(Math.abs((actual ?? 0) - expected) / expected).toBeLessThan(0.045)
    within(point?.queueWait?.p50, 5_000)
    within(point?.queueWait?.p99, 9_900)
    within(point?.runTime?.p50, 10_000)
    within(point?.runTime?.p90, 18_000)
  })

  test('B3: agree with the history, whatever happened', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.integer({ min: 1, max: 9 }), (given, sent, seed, batch) => {
        const { history } = historyOf(given, sent, seed)
        using file = followed(RATES, { batch })
        file.project(projected(history))
        const totals: Record<Transition, number> = { ...NO_TRANSITIONS }
        for (const { counts } of asked(file, { fromAt: 0, untilAt: HOUR, step: 'hour' })) {
          for (const [name, count] of Object.entries(counts)) totals[name as Transition] += count
        }
        expect(totals).toEqual(countedIn(history))
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    [{ untilAt: NOON }, 'has no length'],
    [{ untilAt: NOON + 31 * 24 * HOUR }, '44640 steps of a minute are asked for, 2000 are answered'],
    [{ kinds: [] }, '1 to 50 kinds may be named, got 0'],
  ])('refuse a silly question: %o', (question, message) => {
    using file = followed(RATES)
    expect(() => asked(file, question)).toThrow(message)
  })
})

describe('a histogram of durations', () => {
  test('gives any quantile of any durations to within 4.5 per cent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (durations, share) => {
          const histogram = durations.reduce((sum, one) => withDuration(sum, one), EMPTY_HISTOGRAM)
          const sorted = durations.toSorted((a, b) => a - b)
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number
          expect(Math.abs((quantileOf(histogram, share) ?? 0) - exact) / exact).toBeLessThan(0.045)
        },
      ),
    )
  })

  test('of nothing has no quantile, and a clock that stepped back counts as no time', () => {
    expect(quantileOf(EMPTY_HISTOGRAM, 0.5)).toBeUndefined()
    expect(quantileOf(withDuration(EMPTY_HISTOGRAM, -5), 0.5)).toBe(0)
  })
})

/** Said again in other words: each event counts once for each operation that it names. */
function countedIn(history: readonly RecordedEvent[]): Record<Transition, number> {
  const names: Partial<Record<LifecycleEvent['type'], Transition>> = {
    OperationRegistered: 'registered',
    OperationStarted: 'started',
    OperationCompleted: 'completed',
    OperationFailed: 'failed',
    OperationCancelled: 'cancelled',
    OperationAborted: 'aborted',
    OperationRetired: 'retired',
    AttemptFailed: 'attempts_failed',
    AttemptLost: 'attempts_lost',
  }
  const counted = { ...NO_TRANSITIONS }
  for (const { event } of history) {
    const name = names[event.type]
    if (name !== undefined) counted[name]++
    if (event.type === 'OwnerTerminated') counted.terminated += numbersOf(event).length
    const ends = event.type === 'OperationFailed' || event.type === 'OperationCancelled'
    if (ends && event.facts.reconciliation !== undefined) counted.reconciled++
  }
  return counted
}
