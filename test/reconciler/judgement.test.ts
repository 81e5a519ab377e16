import { describe, expect, test } from 'vitest'
import type { DeadlineRule } from '../../src/authority/events.ts'
import type { UnheardTime } from '../../src/authority/grace.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/authority/lifecycle-policy.ts'
import type { Candidate } from '../../src/reconciler/candidates.ts'
import { judgeCandidate, type Testimony, type Verdict } from '../../src/reconciler/judgement.ts'

const RETRYING: Policy = {
  ...DEFAULT_POLICY,
  heartbeatIntervalMs: 10,
  retry: { ...DEFAULT_POLICY.retry, maxAttempts: 3, backoff: { initialMs: 100, factor: 2, maxMs: 1_000, jitter: 0.5 } },
}

const SILENT: Candidate = {
  stream: 'registry-default/acme',
  workspace: 'w',
  owner: 'o',
  id: 'a',
  number: 1,
  kind: 'k',
  status: 'running',
  attempt: 1,
  policy: { ...RETRYING, retry: DEFAULT_POLICY.retry },
  deadline: { rule: 'sign', sinceAt: 1_000, deadlineAt: 2_000, lateAt: 1_500 },
  lastRevision: 7,
  lastSignAt: 1_000,
  isCancelRequested: false,
  attention: [],
  basis: { position: 8n, at: 1_000, behindMs: 0 },
}

function judged(
  candidate: Partial<Candidate>,
  now: number,
  testimony: Testimony | null | undefined = null,
  unheard: readonly UnheardTime[] = [],
): Verdict {
  return judgeCandidate({ ...SILENT, ...candidate }, testimony, { now, unheard, fraction: 0 })
}

const EVIDENCE = { attempt: 1, lastRevision: 7, lastSignAt: 1_000, deadlineAt: 2_000, judgedAt: 2_000, graceMs: 0 }

describe('a candidate', () => {
  test('is fresh, late and dead in turn, each to the millisecond', () => {
    expect(judged({}, 1_499)).toEqual({ type: 'fresh', nextAt: 2_000 })
    expect(judged({}, 1_500)).toEqual({ type: 'late', nextAt: 2_000 })
    expect(judged({}, 1_999)).toEqual({ type: 'late', nextAt: 2_000 })
    expect(judged({}, 2_000)).toEqual({
      type: 'reconcile',
      evidence: { ...EVIDENCE, rule: 'sign' },
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    })
  })

  test('is given the time by which a wrong clock was behind, and what nobody heard since then on top', () => {
    const moment = { now: 6_999, unheard: [], fraction: 0, latenessMs: 5_000 }
    expect(judgeCandidate(SILENT, null, moment)).toEqual({ type: 'late', nextAt: 7_000 })
    expect(judgeCandidate(SILENT, null, { ...moment, now: 7_000 })).toMatchObject({
      type: 'reconcile',
      evidence: { ...EVIDENCE, judgedAt: 7_000, graceMs: 5_000 },
    })
    const outages = [
      { from: 2_000, to: 3_000 },
      { from: 6_200, to: 6_500 },
    ]
    // The first one lies before the silence began; two heartbeats of 10 ms come with the second.
    expect(judgeCandidate(SILENT, null, { ...moment, now: 7_319, unheard: outages })).toMatchObject({ nextAt: 7_320 })
    expect(judgeCandidate(SILENT, null, { ...moment, now: 7_320, unheard: outages }).type).toBe('reconcile')
  })

  test('is stale, and not yet to be ended, for as long as its kind delays', () => {
    const policy = { ...DEFAULT_POLICY, reconcileDelayMs: 500 }
    expect(judged({ policy }, 2_499)).toEqual({ type: 'stale', nextAt: 2_500 })
    expect(judged({ policy }, 2_500).type).toBe('reconcile')
  })

  test('is granted the time in which nobody could be heard and two heartbeats, and no more', () => {
    const unheard = [{ from: 500, to: 1_300 }]
    expect(judged({}, 2_319, null, unheard)).toEqual({ type: 'late', nextAt: 2_320 })
    expect(judged({}, 2_320, null, unheard)).toMatchObject({ type: 'reconcile', evidence: { graceMs: 320 } })
    expect(judged({}, 2_000, null, [{ from: 0, to: 1_000 }])).toMatchObject({ evidence: { graceMs: 0 } })
  })

  test.each<[DeadlineRule, string, string]>([
    ['queued', 'run.stale_queued', 'fail'],
    ['first_sign', 'run.stale_running', 'fail'],
    ['sign', 'run.stale_running', 'fail'],
    ['progress', 'run.stalled', 'fail'],
    ['runtime', 'run.deadline_exceeded', 'fail'],
    ['cancel', 'run.cancel_ignored', 'cancel'],
    ['retire', 'run.stale_retiring', 'fail'],
  ])('under the rule %s is told %s and made to %s', (rule, reasonCode, disposition) => {
    const deadline = { rule, sinceAt: 1_000, deadlineAt: 2_000 }
    expect(judged({ deadline }, 2_000)).toMatchObject({
      reasonCode,
      disposition: { type: disposition },
      evidence: { rule },
    })
  })

  test.each<[string, Partial<Candidate>, string]>([
    ['ran and may', {}, 'retry'],
    ['used its attempts up', { attempt: 3 }, 'fail'],
    ['was asked to stop', { isCancelRequested: true }, 'fail'],
    ['winds down', { status: 'retiring' }, 'fail'],
    ['never ran', { status: 'provisioning', deadline: { rule: 'queued', sinceAt: 1, deadlineAt: 2_000 } }, 'fail'],
    ['is tried again by its queue', { policy: { ...RETRYING, retry: { ...RETRYING.retry, owner: 'queue' } } }, 'fail'],
  ])('that %s: %s', (_why, more, type) => {
    expect(judged({ policy: RETRYING, ...more }, 2_000)).toMatchObject({ disposition: { type } })
  })

  test('gets its next attempt after a pause that grows, is bounded and jitters', () => {
    const retried = (attempt: number, fraction: number) =>
      judgeCandidate(
        { ...SILENT, policy: { ...RETRYING, retry: { ...RETRYING.retry, maxAttempts: 99 } }, attempt },
        null,
        {
          now: 2_000,
          unheard: [],
          fraction,
        },
      )
    expect(retried(1, 0)).toMatchObject({ disposition: { notBeforeAt: 2_100 } })
    expect(retried(2, 0)).toMatchObject({ disposition: { notBeforeAt: 2_200 } })
    expect(retried(9, 0)).toMatchObject({ disposition: { notBeforeAt: 3_000 } })
    expect(retried(9, 1)).toMatchObject({ disposition: { notBeforeAt: 2_500 } })
  })
})

describe('a witness', () => {
  test('is asked before anything is ended, and not earlier', () => {
    const unasked = (now: number) => judgeCandidate(SILENT, undefined, { now, unheard: [], fraction: 0 })
    expect(unasked(1_999).type).toBe('late')
    expect(unasked(2_000)).toEqual({ type: 'ask' })
  })

  const witness = { ...EVIDENCE, rule: 'witness' }
  test.each<[Testimony, object]>([
    [{ answer: 'waiting' }, { type: 'alive' }],
    [{ answer: 'active' }, { type: 'alive' }],
    [
      { answer: 'completed', result: 42 },
      {
        evidence: { ...witness, witness: 'completed' },
        reasonCode: 'run.adapter_out_of_sync',
        disposition: { type: 'complete', result: 42 },
      },
    ],
    [
      { answer: 'failed', error: { message: 'no' } },
      {
        evidence: { ...witness, witness: 'failed' },
        reasonCode: 'run.queue_failure_bridge',
        disposition: { type: 'fail', error: { message: 'no' } },
      },
    ],
    [
      { answer: 'absent' },
      { evidence: { ...witness, witness: 'absent' }, reasonCode: 'run.never_enqueued', disposition: { type: 'fail' } },
    ],
    [
      { answer: 'unknown' },
      { evidence: { ...EVIDENCE, rule: 'sign', witness: 'unknown' }, reasonCode: 'run.stale_running' },
    ],
  ])('that says %o', (testimony, verdict) => {
    expect(judged({}, 2_000, testimony)).toMatchObject(verdict)
  })

  test('that sees life saves nobody who is alive and stuck', () => {
    const deadline = { rule: 'progress' as const, sinceAt: 1_000, deadlineAt: 2_000 }
    expect(judged({ deadline }, 2_000, { answer: 'active' })).toMatchObject({
      type: 'reconcile',
      reasonCode: 'run.stalled',
      evidence: { rule: 'progress', witness: 'active' },
    })
  })
})
