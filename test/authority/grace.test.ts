import { describe, expect, test } from 'vitest'
import {
  graceMsFor,
  graceMsOf,
  graceMsSince,
  heartbeatMs,
  silentSinceAt,
  unheardBefore,
  withUnheard,
} from '../../src/authority/grace.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'

const POLICY = { ...DEFAULT_POLICY, heartbeatIntervalMs: 10, staleAfterMs: 400, lateAfterMs: 100, cancelGraceMs: 50 }
const SIGNED = {
  status: 'running',
  registeredAt: 0,
  claimedAt: 50,
  lastSignAt: 100,
  policy: POLICY,
  progress: { inAttempt: 0 },
} as const

describe('grace for what could not be heard', () => {
  const cases: readonly (readonly [string, readonly (readonly [from: number, to: number])[], number])[] = [
    ['nothing was unheard', [], 0],
    ['it was unheard before the silence began', [[0, 100]], 0],
    ['it is unheard only later', [[900, 950]], 0],
    ['the silence began unheard', [[50, 130]], 30 + 20],
    ['it was unheard in the middle', [[200, 300]], 100 + 20],
    ['it is unheard until now and on', [[700, 950]], 100 + 20],
    [
      'it was unheard several times',
      [
        [50, 130],
        [200, 300],
        [700, 950],
      ],
      230 + 20,
    ],
    ['it was unheard for parts of a millisecond', [[200, 200.2]], 1 + 20],
  ]
  test.each(cases)('moves a deadline by that and two heartbeats, where %s', (_what, times, graceMs) => {
    const unheard = times.map(([from, to]) => ({ from, to }))
    expect(graceMsSince(unheard, 100, 10, 800)).toBe(graceMs)
    expect(graceMsFor(SIGNED, unheard, 800)).toBe(graceMs)
    expect(graceMsOf(unheard, { rule: 'sign', sinceAt: 100, deadlineAt: 600 }, POLICY, 800)).toBe(graceMs)
  })

  test('counts for a cancel from when it was asked, as nearly as its deadline tells', () => {
    const cancel = { rule: 'cancel', sinceAt: 500, deadlineAt: 500 } as const
    expect(silentSinceAt(cancel, POLICY)).toBe(450)
    expect(silentSinceAt(cancel, null)).toBe(500 - DEFAULT_POLICY.cancelGraceMs)
    expect(silentSinceAt({ ...cancel, rule: 'sign' }, POLICY)).toBe(500)
  })

  test('rests on the heartbeat of its policy, and of unknown kinds without one', () => {
    expect([heartbeatMs(POLICY), heartbeatMs(null)]).toEqual([10, DEFAULT_POLICY.heartbeatIntervalMs])
  })

  test('is none where nothing threatens', () => {
    expect(graceMsFor({ ...SIGNED, status: 'completed' }, [{ from: 0, to: 800 }], 800)).toBe(0)
  })
})

describe('times that were not heard', () => {
  const time = (from: number, to: number) => ({ from, to })

  test('stand in order, joined where they meet', () => {
    const one = withUnheard(withUnheard([], time(50, 60)), time(10, 20))
    expect(one).toEqual([time(10, 20), time(50, 60)])
    expect(withUnheard(one, time(20, 30))).toEqual([time(10, 30), time(50, 60)])
    expect(withUnheard(one, time(21, 30))).toEqual([time(10, 20), time(21, 30), time(50, 60)])
    expect(withUnheard(one, time(12, 15))).toEqual([time(10, 20), time(50, 60)])
    expect(withUnheard(one, time(15, 55))).toEqual([time(10, 60)])
  })

  test('are forgotten from the oldest on where there are too many', () => {
    const many = Array.from({ length: 257 }, (_, i) => time(10 * i, 10 * i + 1)).reduce(withUnheard, [])
    expect(many).toHaveLength(256)
    expect(many[0]).toEqual(time(10, 11))
  })

  test('that a clock which was set back has yet to live through are none', () => {
    expect(unheardBefore([time(10, 20), time(30, 40), time(50, 60)], 35)).toEqual([time(10, 20), time(30, 35)])
    expect(unheardBefore([time(10, 20)], 10)).toEqual([])
  })
})
