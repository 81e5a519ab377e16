import { expect, test } from 'vitest'
import { absoluteTime, machineTime, relativeTime, shortDuration, utcSecond } from '../../src/monitor/times.ts'

const NOW = Date.UTC(2026, 10, 21, 13, 5, 9, 120)

test.each([
  [0, 'just now'],
  [999, 'just now'],
  [-999, 'just now'],
  [1_000, '1 s ago'],
  [59_999, '59 s ago'],
  [250_400, '4 min 10 s ago'],
  [7_200_000, '2 h ago'],
  [273_600_000, '3 d 4 h ago'],
  [-65_000, 'in 1 min 5 s'],
])('what was %i ms ago is told as "%s"', (ms, told) => {
  expect(relativeTime(NOW - ms, NOW)).toBe(told)
})

test.each([
  [-5, '0 ms'],
  [0.4, '0 ms'],
  [7, '7 ms'],
  [1_999, '1 s'],
  [90_000, '1 min 30 s'],
])('%d ms are told as "%s"', (ms, told) => {
  expect(shortDuration(ms)).toBe(told)
})

test('a moment is told in UTC, for people and for machines', () => {
  expect(absoluteTime(NOW)).toBe('2026-11-21 13:05:09.120 UTC')
  expect(utcSecond(NOW)).toBe('2026-11-21 13:05:09')
  expect(machineTime(NOW)).toBe('2026-11-21T13:05:09.120Z')
})
