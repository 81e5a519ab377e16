import { describe, expect, test } from 'vitest'
import { DEADLINE_RULES, type DeadlineRule, REASON_CODES, type ReasonCode } from '../../src/authority/events.ts'
import type { Judgement } from '../../src/authority/freshness.ts'
import { freshnessSentence } from '../../src/authority/freshness-sentence.ts'
import type { Outcome } from '../../src/authority/operation.ts'
import { REASON_SENTENCES, reasonCodeOf } from '../../src/authority/reason-sentences.ts'
import { spokenDuration } from '../../src/authority/spoken-duration.ts'

const MINUTE = 60_000

function judgement(rule: DeadlineRule, freshness: Judgement['freshness'] = 'fresh'): Judgement {
  return {
    freshness,
    rule,
    sinceAt: 1_000_000,
    deadlineAt: 1_000_000 + 5 * MINUTE,
    reconcileAt: 1_000_000 + 5 * MINUTE,
  }
}

describe('freshness as a sentence', () => {
  test.each<[DeadlineRule, string]>([
    ['queued', 'No worker for 4 min 10 s; this kind is reconciled after 5 min, in 50 s.'],
    ['first_sign', 'Claimed 4 min 10 s ago and not heard of since; this kind is reconciled after 5 min, in 50 s.'],
    ['sign', 'No heartbeat for 4 min 10 s; this kind is reconciled after 5 min, in 50 s.'],
    ['progress', 'Alive, but no progress for 4 min 10 s; this kind is reconciled after 5 min, in 50 s.'],
    ['runtime', 'Running for 4 min 10 s; this kind is reconciled after 5 min, in 50 s.'],
    ['cancel', 'A cancel was asked for. It is forced in 50 s.'],
    ['retire', 'Asked to wind down 4 min 10 s ago; this kind is reconciled after 5 min, in 50 s.'],
  ])('%s', (rule, sentence) => {
    expect(freshnessSentence(judgement(rule), 1_250_000)).toBe(sentence)
  })

  test.each<[string, Judgement, number, string]>([
    [
      'of who is due',
      judgement('sign', 'likely_stale'),
      1_000_000 + 7 * MINUTE,
      'No heartbeat for 7 min; this kind is reconciled after 5 min, due for 2 min.',
    ],
    [
      'of what is scheduled',
      { ...judgement('queued'), sinceAt: 1_000_000 + MINUTE },
      1_000_000,
      'Not to be started before another 1 min; this kind is reconciled after 4 min, in 5 min.',
    ],
    [
      'of an overdue cancel',
      judgement('cancel', 'likely_stale'),
      2_000_000,
      'A cancel was asked for. It is forced now.',
    ],
    [
      'at the very time',
      { ...judgement('queued'), reconcileAt: 1_000_000 },
      1_000_000,
      'No worker for 0 ms; this kind is reconciled after 0 ms, due for 0 ms.',
    ],
    [
      'of a cancel whose time has come',
      { ...judgement('cancel'), reconcileAt: 1_000_000 },
      1_000_000,
      'A cancel was asked for. It is forced now.',
    ],
    ['of what nothing threatens', { freshness: 'fresh' }, 0, 'Nothing threatens it.'],
    ['without a policy', { freshness: 'no_policy' }, 0, 'It has no policy: nobody judges its silence.'],
    ['of the end', { freshness: 'terminal' }, 0, 'It has ended.'],
  ])('%s', (_what, judged, now, sentence) => {
    expect(freshnessSentence(judged, now)).toBe(sentence)
  })

  test('has words for every rule, and an operator’s sentence for every reason', () => {
    for (const rule of DEADLINE_RULES) expect(freshnessSentence(judgement(rule), 1_250_000)).toMatch(/^[A-Z].*\.$/)
    for (const code of REASON_CODES) {
      expect(freshnessSentence({ freshness: 'reconciled' }, 0, failed(code))).toBe(
        `It did not speak for itself, and was ended. ${REASON_SENTENCES[code]}`,
      )
    }
  })
})

test('the end as a sentence', () => {
  const said = (outcome: Outcome) => freshnessSentence({ freshness: 'terminal' }, 0, outcome)
  const error = { message: 'secret words of a worker' }
  const reconciliation = { reasonCode: 'run.cancel_ignored' } as Extract<
    Outcome,
    { status: 'failed' }
  >['reconciliation']
  expect(said({ status: 'completed', result: null })).toBe('It completed.')
  expect(said({ status: 'failed', error })).toBe(
    'It failed: an error was reported, which stands among its diagnostics.',
  )
  expect(said({ status: 'cancelled', reason: 'secret words' })).toBe('It was cancelled.')
  expect(said({ status: 'aborted' })).toBe('It was called off before a worker took it.')
  expect(said({ status: 'retired' })).toBe('It was wound down as asked.')
  expect(said({ status: 'terminated', reason: 'secret words' })).toBe('It ended with its owner.')
  expect(REASON_CODES.map((code) => said(failed(code)))).toEqual([
    'It failed. No worker started this operation within the time its kind allows.',
    'It failed. The worker of this operation gave no sign of life for longer than its kind allows.',
    'It failed. This operation was asked to wind down and did not finish within the time its kind allows.',
    'It failed. The worker is alive, but made no progress for longer than its kind allows.',
    'It failed. This operation ran for longer than its kind allows.',
    'It failed. A cancel was asked for, and the worker did not follow it in time.',
    'It failed. The infrastructure under this operation timed out or abandoned it.',
    'It failed. The queue gave up on the job of this operation.',
    'It failed. The queue knows of no job for this operation.',
    'It failed. The queue and this registry disagreed about this operation.',
  ])
  expect(freshnessSentence({ freshness: 'reconciled' }, 0)).toBe('It did not speak for itself, and was ended.')
  expect([
    reasonCodeOf(undefined),
    reasonCodeOf({ status: 'failed', error }),
    reasonCodeOf({ status: 'cancelled', ...(reconciliation && { reconciliation }) }),
    reasonCodeOf({ status: 'cancelled' }),
  ]).toEqual([undefined, undefined, 'run.cancel_ignored', undefined])
})

function failed(reasonCode: ReasonCode): Outcome {
  return { status: 'failed', error: { message: 'secret words of a worker' }, reasonCode }
}

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1 s'],
  [59_999, '59 s'],
  [250_000, '4 min 10 s'],
  [3_600_000, '1 h'],
  [3_599_999, '59 min 59 s'],
  [90_061_000, '1 d 1 h'],
  [-5, '0 ms'],
])('%i ms are said as %s', (ms, said) => {
  expect(spokenDuration(ms)).toBe(said)
})
