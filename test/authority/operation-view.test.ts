import { describe, expect, test } from 'vitest'
import type { Operation } from '../../src/authority/operation.ts'
import { viewOf } from '../../src/authority/operation-view.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const operationIn = (given: Specification): Operation => given.state.operations.get('a') as Operation

const running = specification({ kinds: { export: { phases: ['read', 'write'] } }, at: 1_000 }).given({
  type: 'RegisterOperation',
  id: 'a',
  kind: 'export',
  claim: { claimant: { id: 'w', host: 'h' } },
})

describe('the view of an operation', () => {
  test('A21: tells who it is, where it stands and what follows from that', () => {
    const working = running
      .after(50)
      .given(
        { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' },
        { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'read', result: 3 },
        { type: 'RequestCancel', id: 'a', reason: 'enough' },
      )
    const { judgement, ...view } = viewOf(operationIn(working), working.at + 25, 0)
    expect(view).toStrictEqual({
      id: 'a',
      number: 1,
      kind: 'export',
      name: 'export',
      status: 'running',
      resultClass: 'running',
      progress: { count: 0 },
      attempt: 1,
      phases: [
        { name: 'read', status: 'completed', attempt: 1, startedAt: 1_050, endedAt: 1_050, result: 3 },
        { name: 'write', status: 'pending' },
      ],
      phasesCompleted: 1,
      phasesTotal: 2,
      registeredAt: 1_000,
      startedAt: 1_000,
      elapsedMs: 75,
      labels: {},
      explanation: 'A cancel was asked for. It is forced in 29 s.',
      problemClass: 'none',
      contradictions: 0,
      lease: { epoch: 2, claimant: { id: 'w', host: 'h' }, open: true },
      cancel: { requestedAt: 1_050, deadlineAt: 31_050, reason: 'enough' },
    })
    expect(judgement).toMatchObject({ freshness: 'fresh', rule: 'cancel', lastSignAt: 1_050 })
  })

  test('A21: tells the outcome once there is one, and how long it took', () => {
    const ended = specification({ at: 1_000 })
      .given({ type: 'RegisterOperation', id: 'a', kind: 'k', name: 'March report' })
      .after(30)
      .given({ type: 'ProvisioningFailed', id: 'a', error: { message: 'no' } })
    expect(viewOf(operationIn(ended), 9_999, 0)).toMatchObject({
      name: 'March report',
      resultClass: 'failed',
      outcome: { status: 'failed', error: { message: 'no' } },
      sequence: 1,
      elapsedMs: 30,
      problemClass: 'terminal_follow_up',
    })
    expect(viewOf(operationIn(ended), 9_999, 0)).not.toHaveProperty('startedAt')
    expect(viewOf(operationIn(ended), 9_999, 0)).not.toHaveProperty('phasesTotal')
  })

  test('A21: tells all that was said of it, and what was thrown apart', () => {
    const said = {
      name: 'March report',
      source: 'nightly',
      key: 'march',
      retryOf: { id: 'b', number: 7 },
      input: { month: 3 },
      labels: { team: 'x' },
    }
    const first = specification({
      kinds: { k: { expectsPeer: true, policy: { retry: { maxAttempts: 2 } } } },
      at: 1_000,
    })
      .given({ type: 'RegisterOperation', id: 'a', kind: 'k', ...said, claim: {} })
      .given({ type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 'tcp' })
      .given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2, message: 'half', processed: 1, total: 2 })
    const { judgement: _first, ...working } = viewOf(operationIn(first), 1_000, 0)
    const known = { id: 'a', number: 1, kind: 'k', ...said, registeredAt: 1_000, startedAt: 1_000, contradictions: 0 }
    const unphased = { phases: [], phasesCompleted: 0 }
    expect(working).toStrictEqual({
      ...known,
      ...unphased,
      status: 'running',
      resultClass: 'running',
      attempt: 1,
      peer: 'tcp',
      lease: { epoch: 2, claimant: { id: 'command-1' }, open: true },
      progress: { count: 1, message: 'half', percent: 50, processed: 1, total: 2 },
      elapsedMs: 0,
      explanation: 'No heartbeat for 0 ms; this kind is reconciled after 6 min 15 s, in 6 min 15 s.',
      problemClass: 'none',
    })
    const second = first
      .after(5)
      .given({ type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error: { message: 'broken' }, notBeforeAt: 2_000 })
    const { judgement: _second, explanation: _when, ...again } = viewOf(operationIn(second), 1_005, 0)
    expect(again).toStrictEqual({
      ...known,
      ...unphased,
      status: 'provisioning',
      resultClass: 'running',
      attempt: 2,
      notBeforeAt: 2_000,
      progress: { count: 1, message: 'half' },
      elapsedMs: 5,
      problemClass: 'none',
      diagnostics: { lastError: { message: 'broken' } },
    })
    const error = { message: 'broken again' }
    const ended = second.after(5).given({ type: 'FailOperation', id: 'a', error })
    expect(viewOf(operationIn(ended), 9_999, 0)).toMatchObject({
      completedAt: 1_010,
      sequence: 1,
      diagnostics: { error, lastError: { message: 'broken' } },
    })
  })

  test('A21: tells only progress that was reported', () => {
    const reported = running.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2, total: 4 })
    expect(viewOf(operationIn(reported), reported.at, 0).progress).toStrictEqual({ count: 1, total: 4 })
  })

  const reports = [
    ['both numbers', { processed: 1, total: 4 }, 25],
    ['all of it', { processed: 4, total: 4 }, 100],
    ['no total', { processed: 1 }, undefined],
    ['nothing to do', { processed: 0, total: 0 }, undefined],
    ['more than all', { processed: 5, total: 4 }, undefined],
    ['only a claimed percentage', { percent: 99 }, undefined],
  ] as const
  test.each(reports)('A6: a percentage is shown from trustworthy numbers only: %s', (_name, report, percent) => {
    const reported = running.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2, ...report })
    expect(viewOf(operationIn(reported), reported.at, 0).progress.percent).toBe(percent)
    const cancelled = reported.given({ type: 'CancelOperation', id: 'a' })
    expect(viewOf(operationIn(cancelled), reported.at, 0).progress.percent).toBeUndefined()
  })

  test('A22: elapsed time is never negative, whatever the clock says', () => {
    expect(viewOf(operationIn(running), 0, 0).elapsedMs).toBe(0)
  })
})
