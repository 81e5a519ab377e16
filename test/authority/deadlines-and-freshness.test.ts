import { describe, expect, test } from 'vitest'
import { type DeadlineFacts, deadlinesOf, earliestDeadline, movesDeadlines } from '../../src/authority/deadlines.ts'
import type { DeadlineRule } from '../../src/authority/events.ts'
import { type FreshnessFacts, judge, problemClassOf } from '../../src/authority/freshness.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/authority/lifecycle-policy.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const POLICY: Policy = {
  ...DEFAULT_POLICY,
  provisioningTimeoutMs: 1_000,
  startGraceMs: 2_000,
  heartbeatIntervalMs: 100,
  lateAfterMs: 400,
  staleAfterMs: 800,
  progressTimeoutMs: 5_000,
  maxRuntimeMs: 9_000,
  retireTimeoutMs: 700,
  reconcileDelayMs: 50,
}

const QUEUED: DeadlineFacts = { status: 'provisioning', registeredAt: 100, policy: POLICY, progress: { inAttempt: 0 } }
const CLAIMED: DeadlineFacts = { ...QUEUED, status: 'running', claimedAt: 300 }
const SIGNED: DeadlineFacts = { ...CLAIMED, lastSignAt: 600 }

describe('the deadlines of an operation', () => {
  const cases: readonly (readonly [string, DeadlineFacts, Partial<Record<DeadlineRule, number>>])[] = [
    ['queued: registration', QUEUED, { queued: 1_100 }],
    ['queued: not before', { ...QUEUED, notBeforeAt: 5_000 }, { queued: 6_000 }],
    ['queued: end of the last attempt', { ...QUEUED, attemptEndedAt: 4_000 }, { queued: 5_000 }],
    ["queued: a witness's sign", { ...QUEUED, lastSignAt: 700 }, { queued: 1_700 }],
    ['claimed, no sign yet', CLAIMED, { first_sign: 2_300, progress: 5_300, runtime: 9_300 }],
    ['a sign: five quarters of staleAfter', SIGNED, { sign: 1_600, progress: 5_300, runtime: 9_300 }],
    [
      'progress counts from the last report of this attempt',
      { ...SIGNED, progress: { inAttempt: 1, lastAt: 600 } },
      { sign: 1_600, progress: 5_600, runtime: 9_300 },
    ],
    [
      'a cancel that was asked',
      { ...SIGNED, cancel: { deadlineAt: 900 } },
      { sign: 1_600, progress: 5_300, runtime: 9_300, cancel: 900 },
    ],
    [
      'retiring',
      { ...SIGNED, status: 'retiring', retireRequestedAt: 650 },
      { sign: 1_600, progress: 5_300, runtime: 9_300, retire: 1_350 },
    ],
    ['no policy', { ...SIGNED, policy: null }, {}],
    ['no policy, but a cancel', { ...SIGNED, policy: null, cancel: { deadlineAt: 900 } }, { cancel: 900 }],
    ['no policy, queued', { ...QUEUED, policy: null }, {}],
    ['no policy, retiring', { ...SIGNED, policy: null, status: 'retiring', retireRequestedAt: 650 }, {}],
    [
      'asked to retire in an attempt before',
      { ...SIGNED, retireRequestedAt: 650 },
      { sign: 1_600, progress: 5_300, runtime: 9_300 },
    ],
    ['a claim of which no time is known', { ...QUEUED, status: 'running' }, {}],
    ['ended', { ...SIGNED, status: 'completed' }, {}],
    [
      'rules that are off',
      { ...SIGNED, policy: { ...POLICY, progressTimeoutMs: null, maxRuntimeMs: null } },
      { sign: 1_600 },
    ],
  ]
  test.each(cases)('%s', (_name, facts, expected) => {
    expect(Object.fromEntries(deadlinesOf(facts).map(({ rule, deadlineAt }) => [rule, deadlineAt]))).toEqual(expected)
  })

  test('the earliest wins, and of equal ones the later rule', () => {
    expect(earliestDeadline({ ...SIGNED, cancel: { deadlineAt: 1_599 } })?.rule).toBe('cancel')
    expect(earliestDeadline({ ...SIGNED, cancel: { deadlineAt: 1_600 } })?.rule).toBe('cancel')
    expect(earliestDeadline({ ...SIGNED, cancel: { deadlineAt: 1_601 } })?.rule).toBe('sign')
    const tie: DeadlineFacts = { ...SIGNED, policy: { ...POLICY, progressTimeoutMs: 1_300 } }
    expect(earliestDeadline(tie)).toMatchObject({ rule: 'progress', deadlineAt: 1_600 })
  })

  test('silence makes late under whatever rule comes first', () => {
    expect(earliestDeadline({ ...SIGNED, cancel: { deadlineAt: 900 } })).toStrictEqual({
      rule: 'cancel',
      sinceAt: 900,
      deadlineAt: 900,
      lateAt: 1_200,
    })
    expect(earliestDeadline(QUEUED)).toStrictEqual({ rule: 'queued', sinceAt: 100, deadlineAt: 1_100 })
  })

  const moves: readonly Partial<DeadlineFacts>[] = [
    { status: 'running' },
    { lastSignAt: 1 },
    { claimedAt: 1 },
    { progress: { inAttempt: 1, lastAt: 1 } },
    { cancel: { deadlineAt: 1 } },
    { retireRequestedAt: 1 },
    { notBeforeAt: 1 },
    { attemptEndedAt: 1 },
  ]
  test.each(moves)('may move with %o', (changed) => {
    expect(movesDeadlines(QUEUED, { ...QUEUED, ...changed })).toBe(true)
    expect(movesDeadlines(QUEUED, { ...QUEUED })).toBe(false)
  })

  test('nobody is judged with less than staleAfter of real silence, though a sign may be written a quarter late', () => {
    const heardAt = SIGNED.lastSignAt as number
    expect((earliestDeadline(SIGNED)?.deadlineAt as number) - (heardAt + POLICY.staleAfterMs / 4)).toBe(
      POLICY.staleAfterMs,
    )
    expect(earliestDeadline(SIGNED)?.lateAt).toBe(heardAt + POLICY.lateAfterMs + POLICY.staleAfterMs / 4)
  })
})

describe('the one judgement', () => {
  const cases: readonly (readonly [string, FreshnessFacts, number, number, object])[] = [
    ['fresh', SIGNED, 1_199, 0, { freshness: 'fresh', rule: 'sign', deadlineAt: 1_600, reconcileAt: 1_650 }],
    ['late', SIGNED, 1_200, 0, { freshness: 'late' }],
    ['stale', SIGNED, 1_600, 0, { freshness: 'likely_stale', sinceAt: 600, lastSignAt: 600 }],
    ['grace moves lateness', SIGNED, 1_599, 400, { freshness: 'fresh', deadlineAt: 2_000 }],
    ['grace moves the deadline', SIGNED, 1_999, 400, { freshness: 'late', reconcileAt: 2_050 }],
    ['grace and no more', SIGNED, 2_000, 400, { freshness: 'likely_stale' }],
    ['no policy', { ...SIGNED, policy: null }, 9e9, 0, { freshness: 'no_policy' }],
    ['ended', { ...SIGNED, status: 'failed', outcome: { status: 'failed' } }, 9e9, 0, { freshness: 'terminal' }],
    [
      'ended by a verdict',
      { ...SIGNED, status: 'failed', outcome: { status: 'failed', reconciliation: {} } },
      9e9,
      0,
      { freshness: 'reconciled' },
    ],
  ]
  test.each(cases)('%s', (_name, facts, now, graceMs, expected) => {
    expect(judge(facts, now, graceMs)).toMatchObject(expected)
  })

  test('tells a time of nothing that is not there', () => {
    expect(judge(QUEUED, 200, 0)).toStrictEqual({
      freshness: 'fresh',
      rule: 'queued',
      sinceAt: 100,
      deadlineAt: 1_100,
      reconcileAt: 1_150,
    })
    const ended = { ...QUEUED, status: 'failed' } as const
    expect(judge(ended, 200, 0)).toStrictEqual({ freshness: 'terminal' })
    expect(judge({ ...SIGNED, policy: { ...POLICY, staleAfterMs: 800 }, status: 'completed' }, 200, 0)).toStrictEqual({
      freshness: 'terminal',
      lastSignAt: 600,
    })
    const unjudged = { ...QUEUED, policy: null }
    expect(judge(unjudged, 200, 0)).toStrictEqual({ freshness: 'no_policy' })
    expect(judge({ ...QUEUED, status: 'running' }, 200, 0)).toStrictEqual({ freshness: 'fresh' })
    expect(judge({ ...SIGNED, policy: null, cancel: { deadlineAt: 900 } }, 700, 0)).toMatchObject({ reconcileAt: 900 })
    expect(
      problemClassOf({ ...ended, outcome: { status: 'cancelled', reconciliation: {} } }, { freshness: 'reconciled' }),
    ).toBe('terminal_follow_up')
  })

  test('problem classes follow from it', () => {
    const classOf = (facts: FreshnessFacts, now: number) => problemClassOf(facts, judge(facts, now, 0))
    expect(classOf(SIGNED, 700)).toBe('none')
    expect(classOf(SIGNED, 1_600)).toBe('active_attention')
    expect(classOf({ ...SIGNED, status: 'failed', outcome: { status: 'failed' } }, 700)).toBe('terminal_follow_up')
    expect(classOf({ ...SIGNED, status: 'completed', outcome: { status: 'completed' } }, 700)).toBe('none')
    const contradicted = {
      ...SIGNED,
      status: 'completed',
      outcome: { status: 'completed' },
      contradictions: [1],
    } as const
    expect(classOf(contradicted, 700)).toBe('terminal_follow_up')
  })
})

describe('evidence', () => {
  const { provisioningTimeoutMs, startGraceMs, heartbeatIntervalMs, lateAfterMs, staleAfterMs } = POLICY
  const kinds: KindDefinitions = {
    k: {
      policy: {
        provisioningTimeoutMs,
        startGraceMs,
        heartbeatIntervalMs,
        lateAfterMs,
        staleAfterMs,
        progressTimeoutMs: 5_000,
        maxRuntimeMs: 9_000,
        retireTimeoutMs: 700,
        cancelGraceMs: 300,
      },
    },
  }
  const queued = specification({ kinds, at: 0 }).given({ type: 'RegisterOperation', id: 'a', kind: 'k' })
  const claimed = queued.given({ type: 'ProvisioningSucceeded', id: 'a' })
  const working = claimed.after(100).given({ type: 'RecordHeartbeat', id: 'a', leaseEpoch: 2 })
  const progressed = claimed.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2 })
  const past: readonly (readonly [DeadlineRule, Specification, number])[] = [
    ['queued', queued, 1_000],
    ['first_sign', claimed, 2_000],
    ['sign', working, 1_000],
    ['progress', progressed, 5_000],
    ['runtime', working, 8_900],
    ['cancel', working.given({ type: 'RequestCancel', id: 'a' }), 300],
    ['retire', working.given({ type: 'RequestRetire', id: 'a' }), 700],
  ]

  const verdict = (rule: DeadlineRule, at: number, graceMs = 0, attempt = 1) =>
    ({
      type: 'ReconcileOperation',
      id: 'a',
      evidence: { rule, attempt, lastRevision: 0, judgedAt: at, graceMs },
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    }) as const

  test.each(past)(
    'of the rule %s holds from its deadline on, grace included, and not before',
    (rule, before, dueMs) => {
      const early = before.after(dueMs - 1)
      early.when(verdict(rule, early.at)).thenRejects('evidence_outdated')
      const due = before.after(dueMs)
      expect(due.when(verdict(rule, due.at)).decision.type).toBe('accepted')
      due.when(verdict(rule, due.at, 1)).thenRejects('evidence_outdated')
      expect(before.after(dueMs + 1).when(verdict(rule, due.at, 1)).decision.type).toBe('accepted')
      due.when(verdict(rule, due.at, 0, 2)).thenRejects('evidence_outdated')
    },
  )

  test('of silence is outdated by a heartbeat that came in between', () => {
    const silent = working.after(1_000)
    silent
      .given({ type: 'RecordHeartbeat', id: 'a', leaseEpoch: 2 })
      .when(verdict('sign', silent.at))
      .thenRejects('evidence_outdated')
  })

  test('of a witness holds until anything but signs, attention and waits carries the number', () => {
    const seen = {
      rule: 'witness',
      attempt: 1,
      lastRevision: 2,
      judgedAt: 1,
      graceMs: 0,
      witness: 'completed',
    } as const
    const complete = {
      type: 'ReconcileOperation',
      id: 'a',
      evidence: seen,
      reasonCode: 'run.adapter_out_of_sync',
      disposition: { type: 'complete', result: 1 },
    } as const
    const unmoved = working.given(
      { type: 'RaiseAttention', id: 'a', rule: 'sign' },
      { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] },
    )
    expect(unmoved.when(complete).decision.type).toBe('accepted')
    unmoved.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2 }).when(complete).thenRejects('evidence_outdated')
  })
})
