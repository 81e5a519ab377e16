import { describe, expect, test } from 'vitest'
import { DEADLINE_RULES, type DeadlineRule, REASON_CODES, type ReasonCode } from '../../src/authority/events.ts'
import type { Judgement } from '../../src/authority/freshness.ts'
import { freshnessSentence } from '../../src/authority/freshness-sentence.ts'
import type { Outcome } from '../../src/authority/operation.ts'
import { REASON_SENTENCES } from '../../src/authority/reason-sentences.ts'
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
