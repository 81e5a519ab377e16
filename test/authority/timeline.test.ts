import { describe, expect, test } from 'vitest'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { SIGNS_SHOWN_MAX, TimelineFold } from '../../src/authority/timeline.ts'

const error = { message: 'broken' }
const AT = 1_000
/** Late after 400 ms of silence and a quarter of staleAfter, stale after five quarters of it. */
const KINDS = {
  k: {
    expectsPeer: true,
    phases: ['read', 'write'],
    policy: {
      startGraceMs: 300,
      heartbeatIntervalMs: 100,
      lateAfterMs: 400,
      staleAfterMs: 800,
      retry: { maxAttempts: 9 },
    },
  },
}
const one = { id: 'a', leaseEpoch: 2 } as const
const queued = specification({ kinds: KINDS, at: AT }).given({
  type: 'RegisterOperation',
  id: 'a',
  kind: 'k',
  key: 'key',
})
const running = queued.after(10).given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } })

function told(at: Specification, now = at.at) {
  const fold = new TimelineFold(1)
  expect([fold.operation, fold.told(0)]).toEqual([undefined, undefined])
  for (const recorded of at.history.slice(1)) fold.take(recorded)
  expect(fold.operation).toEqual(at.state.operations.get('a'))
  return fold.told(now)
}

describe('one life in time', () => {
  test('begins in the queue, and goes on as long as it is looked at', () => {
    const beginning = {
      fromAt: AT,
      isOver: false,
      attempts: [],
      phases: [],
      silences: [],
      signs: [],
      signsHeard: 0,
      marks: [],
    }
    const steps = [{ from: 'absent', to: 'provisioning', event: 'OperationRegistered', at: AT, revision: 1 }]
    expect(told(queued, 1_500)).toStrictEqual({ ...beginning, untilAt: 1_500, queued: [{ fromAt: AT }], steps })
    expect(told(queued, 500)?.untilAt).toBe(AT)
  })

  test('is told with attempts, phases, signs, steps and marks', () => {
    const life = running
      .after(10)
      .given({ type: 'PeerReady', ...one, peer: 1 }, { type: 'StartPhase', ...one, phase: 'read' })
      .after(10)
      .given({ type: 'CompletePhase', ...one, phase: 'read' }, { type: 'StartPhase', ...one, phase: 'write' })
      .after(10)
      .given({ type: 'RaiseAttention', id: 'a', rule: 'sign' }, { type: 'ClearAttention', id: 'a', rule: 'sign' })
      .given({ type: 'RetryAttempt', ...one, error, notBeforeAt: 0 })
      .after(10)
      .given({ type: 'RegisterOperation', id: 'b', kind: 'k', key: 'key' })
      .given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'v' } })
    const epoch = life.state.operations.get('a')?.lease?.epoch
    const ended = life
      .after(10)
      .given({ type: 'StartPhase', id: 'a', phase: 'write', leaseEpoch: epoch })
      .after(10)
      .given({ type: 'FailPhase', id: 'a', phase: 'write', leaseEpoch: epoch, error })
      .after(10)
      .given({ type: 'RequestCancel', id: 'a' }, { type: 'RequestRetire', id: 'a' })
      .given({ type: 'CancelOperation', id: 'a' })
      .after(10)
      .given({ type: 'RecordContradiction', id: 'a', claimed: 'completed' })
    expect(told(ended, 9_999)).toStrictEqual({
      fromAt: AT,
      untilAt: 1_080,
      isOver: true,
      queued: [
        { fromAt: AT, untilAt: 1_010 },
        { fromAt: 1_040, untilAt: 1_050 },
      ],
      attempts: [
        { attempt: 1, fromAt: 1_010, claimant: { id: 'w' }, untilAt: 1_040, ending: 'failed' },
        { attempt: 2, fromAt: 1_050, claimant: { id: 'v' }, untilAt: 1_080, ending: 'cancelled' },
      ],
      phases: [
        { phase: 'read', attempt: 1, fromAt: 1_020, untilAt: 1_030, ending: 'completed' },
        { phase: 'write', attempt: 1, fromAt: 1_030, untilAt: 1_040, ending: 'interrupted' },
        { phase: 'write', attempt: 2, fromAt: 1_060, untilAt: 1_070, ending: 'failed' },
      ],
      silences: [],
      signs: [1_020, 1_030, 1_060, 1_070],
      signsHeard: 4,
      steps: [
        { from: 'absent', to: 'provisioning', event: 'OperationRegistered', at: AT, revision: 1 },
        { from: 'provisioning', to: 'running', event: 'OperationStarted', at: 1_010, revision: 2 },
        { from: 'running', to: 'provisioning', event: 'AttemptFailed', at: 1_040, revision: 9 },
        { from: 'provisioning', to: 'running', event: 'OperationStarted', at: 1_050, revision: 11 },
        { from: 'running', to: 'retiring', event: 'RetireRequested', at: 1_080, revision: 15 },
        { from: 'retiring', to: 'cancelled', event: 'OperationCancelled', at: 1_080, revision: 16 },
      ],
      marks: [
        { type: 'PeerBecameReady', at: 1_020, revision: 3 },
        { type: 'AttentionRaised', at: 1_040, revision: 7 },
        { type: 'AttentionCleared', at: 1_040, revision: 8 },
        { type: 'RegistrationJoined', at: 1_050, revision: 10 },
        { type: 'CancelRequested', at: 1_080, revision: 14 },
        { type: 'RetireRequested', at: 1_080, revision: 15 },
        { type: 'ContradictionRecorded', at: 1_090, revision: 17 },
      ],
    })
  })

  test('tells of an attempt that is lost, where it stands too, and of who claimed without a name', () => {
    const verdict = (attempt: number) =>
      ({
        type: 'ReconcileOperation',
        id: 'a',
        reasonCode: 'run.never_enqueued',
        evidence: { rule: 'witness', attempt, lastRevision: 99, judgedAt: 0, graceMs: 0, witness: 'absent' },
        disposition: { type: 'retry', notBeforeAt: 0 },
      }) as const
    const lost = queued.after(5).given(verdict(1))
    expect(told(lost)).toMatchObject({
      queued: [{ fromAt: AT }, { fromAt: 1_005 }],
      attempts: [],
      steps: [{}, { from: 'provisioning', to: 'provisioning', event: 'AttemptLost', at: 1_005, revision: 2 }],
    })
    const anonymous = lost.given({ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 2 }, content: {} })
    expect(told(anonymous.after(5).given(verdict(2)))?.attempts).toStrictEqual([
      { attempt: 2, fromAt: 1_005, untilAt: 1_010, ending: 'lost' },
    ])
    const cancelled = lost.after(5).given({ type: 'CancelOperation', id: 'a' })
    expect(told(cancelled)?.queued.at(-1)).toEqual({ fromAt: 1_005, untilAt: 1_010 })
  })

  test('is gone with its registration', () => {
    const rolledBack = queued.given({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' })
    expect(told(rolledBack)).toBeUndefined()
  })

  test('has times in their order though the wall clock steps back', () => {
    const back = running.after(-500).given({ type: 'StartPhase', ...one, phase: 'read' })
    expect(told(back)?.phases).toEqual([{ phase: 'read', attempt: 1, fromAt: AT }])
  })

  test('shows as many signs as can be drawn, evenly thinned', () => {
    const heard = (times: number) =>
      Array.from({ length: times }).reduce<Specification>(
        (before) => before.after(1).given({ type: 'RecordHeartbeat', ...one }),
        running,
      )
    const full = told(heard(SIGNS_SHOWN_MAX))
    expect([full?.signs.length, full?.signs[0], full?.signs.at(-1)]).toEqual([400, 1_011, 1_410])
    const thinned = told(heard(2 * SIGNS_SHOWN_MAX))
    expect([thinned?.signsHeard, thinned?.signs.length]).toEqual([800, 400])
    expect(thinned?.signs.slice(0, 3)).toEqual([1_011, 1_013, 1_015])
    expect(thinned?.signs.at(-1)).toBe(1_809)
  })
})

describe('a silence', () => {
  const signed = running.after(10).given({ type: 'RecordHeartbeat', ...one })
  const silences = (after: Specification, now?: number) => told(after, now)?.silences

  test('is told from what its policy calls late on, and goes on until something is heard', () => {
    expect(silences(signed, 1_020 + 599)).toEqual([])
    expect(silences(signed, 1_020 + 600)).toStrictEqual([{ attempt: 1, fromAt: 1_020, ms: 600, freshness: 'late' }])
    expect(silences(signed, 1_020 + 999)).toMatchObject([{ freshness: 'late' }])
    expect(silences(signed, 1_020 + 1_000)).toMatchObject([{ freshness: 'likely_stale', ms: 1_000 }])
    expect(silences(signed.after(700).given({ type: 'RecordHeartbeat', ...one }))).toStrictEqual([
      { attempt: 1, fromAt: 1_020, ms: 700, freshness: 'late', untilAt: 1_720 },
    ])
  })

  test('counts from the claim where nothing was ever heard', () => {
    expect(silences(running, 1_010 + 299)).toEqual([])
    expect(silences(running, 1_010 + 300)).toMatchObject([{ fromAt: 1_010, freshness: 'likely_stale', ms: 300 }])
    expect(silences(queued, 99_999)).toEqual([])
  })

  test('ends with its attempt, and with the operation', () => {
    const retried = signed.after(600).given({ type: 'RetryAttempt', ...one, error, notBeforeAt: 0 })
    expect(silences(retried, 99_999)).toStrictEqual([
      { attempt: 1, fromAt: 1_020, ms: 600, freshness: 'late', untilAt: 1_620 },
    ])
    const ended = signed.after(600).given({ type: 'CancelOperation', id: 'a' })
    expect(silences(ended, 99_999)).toStrictEqual([
      { attempt: 1, fromAt: 1_020, ms: 600, freshness: 'late', untilAt: 1_620 },
    ])
    expect(silences(signed.after(10).given({ type: 'CancelOperation', id: 'a' }), 99_999)).toEqual([])
  })
})
