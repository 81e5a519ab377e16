import { expect, test } from 'vitest'
import { durationMs, momentMs } from '../../src/client/durations.ts'
import { refusalOf } from './support/opened-verdict.ts'

test.each([
  [0, 0],
  [1_500, 1_500],
  ['0ms', 0],
  ['250ms', 250],
  ['90s', 90_000],
  ['2m', 120_000],
  ['1h 30m', 5_400_000],
  ['1h30m', 5_400_000],
  [' 1d ', 86_400_000],
  ['1.5s', 1_500],
])('%j is a duration of %i ms', (text, ms) => {
  expect(durationMs(text, 'here')).toBe(ms)
})

test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '', '5', 'm', '5 minutes', '-5s', '1e3s', null, true, {}])(
  '%j is no duration, and the refusal names the place',
  async (value) => {
    const refusal = await refusalOf(async () => durationMs(value, 'policy.staleAfter'))
    expect(refusal).toMatchObject({ code: 'invalid_command', facts: { path: 'policy.staleAfter' }, retryable: false })
    expect(refusal.message).toMatch(/^policy\.staleAfter: expected milliseconds as a whole number from 0, or a text/)
  },
)

test('what is no text is refused without being written out, however deep it is', async () => {
  const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000))
  for (const [value, got] of [
    [deep, 'a list'],
    [Object.create(null), 'an object'],
    [() => 1, 'a function'],
    [null, 'null'],
  ]) {
    const refusal = await refusalOf(async () => durationMs(value, 'here'))
    expect(refusal.facts).toMatchObject({ path: 'here', got })
  }
})

test('a moment is a Date or epoch milliseconds', () => {
  expect(momentMs(new Date(1_000), 'notBefore')).toBe(1_000)
  expect(momentMs(1_000, 'notBefore')).toBe(1_000)
})

test.each([new Date('never'), '2026-01-01', -1, 1.5])('%j is no moment', async (value) => {
  const refusal = await refusalOf(async () => momentMs(value, 'notBefore'))
  expect(refusal).toMatchObject({ code: 'invalid_command', facts: { path: 'notBefore' } })
})
