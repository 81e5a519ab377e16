import { describe, expect, test } from 'vitest'
import type { Command } from '../../src/authority/commands.ts'
import { DEFAULT_LIMITS } from '../../src/authority/events.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const KINDS: KindDefinitions = {
  peer: { expectsPeer: true },
  phased: { phases: ['read', 'write'] },
  patient: { policy: { retry: { maxAttempts: 9 } } },
}
const error = { message: 'broken', code: 'E', details: { at: 3 } }
const worker = { id: 'w', host: 'h', pid: 7, version: '1' }
const empty = specification({ kinds: KINDS, at: 1_000 })
const queued = (kind = 'patient') => empty.given({ type: 'RegisterOperation', id: 'a', kind })
const running = (kind = 'patient') => queued(kind).given({ type: 'ProvisioningSucceeded', id: 'a', claimant: worker })
const one = { id: 'a', leaseEpoch: 2 } as const
const reading = running('phased').given({ type: 'StartPhase', ...one, phase: 'read' })
const asked = running().given({ type: 'RequestCancel', id: 'a', reason: 'too slow' })
const failed = running().given({ type: 'FailOperation', ...one, error })
const evidence = {
  rule: 'witness',
  attempt: 1,
  lastRevision: 9,
  judgedAt: 1,
  graceMs: 0,
  witness: 'completed',
} as const
const verdict = (disposition: Extract<Command, { type: 'ReconcileOperation' }>['disposition']): Command => ({
  type: 'ReconcileOperation',
  id: 'a',
  reasonCode: 'run.stalled',
  evidence,
  disposition,
})

const STALLED = {
  message: 'The worker is alive, but made no progress for longer than its kind allows.',
  code: 'run.stalled',
}
const KIND_FACTS = { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null }
const DIGEST_KEY = '0'.repeat(64)

/** What is sent, what it meets, and the events to the last field: what nobody said has no field. */
// biome-ignore format: a table, one line a case
const STORED: readonly (readonly [what: string, Specification, Command, events: readonly object[]])[] = [
  ['a start', queued(), { type: 'ProvisioningSucceeded', id: 'a' }, [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-2' } }, content: {} }]],
  ['a start by somebody', queued(), { type: 'ProvisioningSucceeded', id: 'a', claimant: worker }, [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: worker }, content: {} }]],
  ['a start at its very time', empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k', notBeforeAt: 1_000 }), { type: 'ProvisioningSucceeded', id: 'a' }, [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-2' } }, content: {} }]],
  ['a start that failed', queued(), { type: 'ProvisioningFailed', id: 'a', error }, [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1 }, content: { error } }]],
  ['an abort', queued(), { type: 'AbortProvisioning', id: 'a' }, [{ type: 'OperationAborted', facts: { id: 'a', number: 1, sequence: 1 }, content: {} }]],
  ['an abort with a reason', queued(), { type: 'AbortProvisioning', id: 'a', reason: 'r' }, [{ type: 'OperationAborted', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }]],
  ['a peer', running('peer'), { type: 'PeerReady', ...one, peer: { url: 'u' } }, [{ type: 'PeerBecameReady', facts: { id: 'a', number: 1 }, content: { peer: { url: 'u' } } }]],
  ['progress without a word', running(), { type: 'ReportProgress', ...one }, [{ type: 'ProgressReported', facts: { id: 'a', number: 1, reports: 1 }, content: {} }]],
  ['progress', running(), { type: 'ReportProgress', ...one, message: 'm', percent: 5, processed: 1, total: 20 }, [{ type: 'ProgressReported', facts: { id: 'a', number: 1, reports: 1, percent: 5, processed: 1, total: 20 }, content: { message: 'm' } }]],
  ['a heartbeat', running().after(5), { type: 'RecordHeartbeat', ...one }, [{ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1_005]] }, content: {} }]],
  ['the start of a phase', running('phased'), { type: 'StartPhase', ...one, phase: 'read' }, [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: {} }]],
  ['a phase that nobody declared', running(), { type: 'StartPhase', ...one, phase: 'own' }, [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'own', attempt: 1 }, content: {} }]],
  ['the end of a phase', reading, { type: 'CompletePhase', ...one, phase: 'read' }, [{ type: 'PhaseCompleted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { result: null } }]],
  ['the end of a phase with a result', reading, { type: 'CompletePhase', ...one, phase: 'read', result: { rows: 3 } }, [{ type: 'PhaseCompleted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { result: { rows: 3 } } }]],
  ['a phase that failed', reading, { type: 'FailPhase', ...one, phase: 'read', error }, [{ type: 'PhaseFailed', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { error } }]],
  ['a failed phase, begun again', reading.given({ type: 'FailPhase', ...one, phase: 'read', error }), { type: 'StartPhase', ...one, phase: 'read' }, [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: {} }]],
  ['completion', running(), { type: 'CompleteOperation', ...one }, [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1 }, content: { result: null } }]],
  ['completion with a result', running(), { type: 'CompleteOperation', ...one, result: [1] }, [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1 }, content: { result: [1] } }]],
  ['failure', running(), { type: 'FailOperation', ...one, error }, [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1 }, content: { error } }]],
  ['an attempt that failed', running(), { type: 'RetryAttempt', ...one, error, notBeforeAt: 9_000 }, [{ type: 'AttemptFailed', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000 }, content: { error } }]],
  ['the wish for a cancel of what waits', queued(), { type: 'RequestCancel', id: 'a', reason: 'r' }, [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }]],
  ['the wish for a cancel, with the grace of its policy', running(), { type: 'RequestCancel', id: 'a' }, [{ type: 'CancelRequested', facts: { id: 'a', number: 1, deadlineAt: 31_000 }, content: {} }]],
  ['the wish for a cancel by a time', running(), { type: 'RequestCancel', id: 'a', reason: 'r', deadlineAt: 4_000 }, [{ type: 'CancelRequested', facts: { id: 'a', number: 1, deadlineAt: 4_000 }, content: { reason: 'r' } }]],
  ['a cancel', running(), { type: 'CancelOperation', id: 'a' }, [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: {} }]],
  ['a cancel with a reason', running(), { type: 'CancelOperation', id: 'a', reason: 'r' }, [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }]],
  ['the wish to retire', running(), { type: 'RequestRetire', id: 'a' }, [{ type: 'RetireRequested', facts: { id: 'a', number: 1 }, content: {} }]],
  ['a retirement', running(), { type: 'MarkRetired', ...one, reason: 'r' }, [{ type: 'OperationRetired', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }]],
  ['attention', running(), { type: 'RaiseAttention', id: 'a', rule: 'sign' }, [{ type: 'AttentionRaised', facts: { id: 'a', number: 1, attempt: 1, rule: 'sign' }, content: {} }]],
  ['attention under a second rule', running().given({ type: 'RaiseAttention', id: 'a', rule: 'sign' }), { type: 'RaiseAttention', id: 'a', rule: 'runtime' }, [{ type: 'AttentionRaised', facts: { id: 'a', number: 1, attempt: 1, rule: 'runtime' }, content: {} }]],
  ['the end of attention', running().given({ type: 'RaiseAttention', id: 'a', rule: 'runtime' }, { type: 'RaiseAttention', id: 'a', rule: 'sign' }), { type: 'ClearAttention', id: 'a', rule: 'sign' }, [{ type: 'AttentionCleared', facts: { id: 'a', number: 1, attempt: 1, rule: 'sign' }, content: {} }]],
  ['a contradiction', failed, { type: 'RecordContradiction', id: 'a', claimed: 'completed' }, [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed' }, content: {} }]],
  ['a contradiction with a result, under the last epoch that was', failed, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 3, result: { rows: 3 } }, [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed', leaseEpoch: 3 }, content: { result: { rows: 3 } } }]],
  ['a contradiction with an error', running().given({ type: 'CompleteOperation', ...one }), { type: 'RecordContradiction', id: 'a', claimed: 'failed', epoch: 2, error }, [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'failed', leaseEpoch: 2 }, content: { error } }]],
  ['a rollback', queued(), { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' }, [{ type: 'RegistrationRolledBack', facts: { id: 'a', number: 1 }, content: {} }]],
  ['a verdict of failure', running(), verdict({ type: 'fail' }), [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1, reasonCode: 'run.stalled', reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { error: STALLED } }]],
  ['a verdict of failure with an error', running(), verdict({ type: 'fail', error }), [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1, reasonCode: 'run.stalled', reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { error } }]],
  ['a verdict to retry', running(), verdict({ type: 'retry', notBeforeAt: 9_000 }), [{ type: 'AttemptLost', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { error: STALLED } }]],
  ['a verdict to retry with an error', running(), verdict({ type: 'retry', notBeforeAt: 9_000, error }), [{ type: 'AttemptLost', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { error } }]],
  ['a verdict of cancel, by the reason that was given', asked, verdict({ type: 'cancel' }), [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { reason: 'too slow' } }]],
  ['a verdict of cancel with a reason of its own', asked, verdict({ type: 'cancel', reason: 'over' }), [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { reason: 'over' } }]],
  ['a verdict of cancel where nobody gave a reason', running().given({ type: 'RequestCancel', id: 'a' }), verdict({ type: 'cancel' }), [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: {} }]],
  ['a verdict of completion', running(), verdict({ type: 'complete' }), [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { result: null } }]],
  ['a verdict of completion with a result', running(), verdict({ type: 'complete', result: [1] }), [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1, reconciliation: { reasonCode: 'run.stalled', evidence } }, content: { result: [1] } }]],
  ['the opening of a registry', specification({ open: false }), { type: 'OpenRegistry', limits: { maxConcurrent: 3, endedWaits: 4 } }, [{ type: 'RegistryOpened', facts: { registryId: 'registry', limits: { ...DEFAULT_LIMITS, maxConcurrent: 3, endedWaits: 4 } }, content: { digestKey: DIGEST_KEY } }]],
  ['limits for a registry that is not open', specification({ open: false }), { type: 'ChangeLimits', limits: { maxConcurrent: 3 } }, [{ type: 'RegistryOpened', facts: { registryId: 'registry', limits: { ...DEFAULT_LIMITS, maxConcurrent: 3 } }, content: { digestKey: DIGEST_KEY } }]],
  ['limits', empty, { type: 'ChangeLimits', limits: { endedWaits: 4, maxCompleted: 5 } }, [{ type: 'RegistryLimitsChanged', facts: { limits: { ...DEFAULT_LIMITS, maxCompleted: 5, endedWaits: 4 } }, content: {} }]],
  ['the retirement of an owner', running(), { type: 'RetireOwner', reason: 'gone' }, [{ type: 'OwnerTerminated', facts: { numbers: [1], firstSequence: 1 }, content: { reason: 'gone' } }, { type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } }]],
  ['the end of an owner', running(), { type: 'TerminateOwner', reason: 'over' }, [{ type: 'OwnerTerminated', facts: { numbers: [1], firstSequence: 1 }, content: { reason: 'over' } }]],
  ['a wait for all', running(), { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] }, [{ type: 'WaitBegan', facts: { waitId: 'w', mode: 'all', numbers: [1], deadlineAt: 3_601_000 }, content: {} }]],
  ['a wait of a run for any, until a time', running(), { type: 'BeginWaitAny', waitId: 'w', ids: ['a'], runId: 'r', deadlineAt: 4_000 }, [{ type: 'WaitBegan', facts: { waitId: 'w', mode: 'any', numbers: [1], runId: 'r', deadlineAt: 4_000 }, content: {} }]],
  ['the cancel of a wait', running().given({ type: 'BeginWaitAny', waitId: 'w', ids: ['a'] }), { type: 'CancelWait', waitId: 'w' }, [{ type: 'WaitCancelled', facts: { waitId: 'w' }, content: {} }]],
  ['a registration', empty, { type: 'RegisterOperation', id: 'a', kind: 'k' }, [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY }, content: {} }]],
  ['a registration with all that it may say', empty, { type: 'RegisterOperation', id: 'a', kind: 'phased', key: 'key', notBeforeAt: 1_000, retryOf: { id: 'z', number: 9 }, name: 'n', source: 's', input: { i: 1 }, labels: { l: 'v' }, phaseResults: { read: { rows: 3 } }, claim: { claimant: worker } }, [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'phased', kindFacts: { ...KIND_FACTS, phases: ['read', 'write'] }, policy: DEFAULT_POLICY, key: 'key', notBeforeAt: 1_000, retryOf: { id: 'z', number: 9 } }, content: { name: 'n', source: 's', input: { i: 1 }, labels: { l: 'v' }, phaseResults: { read: { rows: 3 } } } }, { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: worker }, content: {} }]],
  ['a registration with a claim of nobody in particular', empty, { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }, [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY }, content: {} }, { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-1' } }, content: {} }]],
]

describe('what is sent is what is stored', () => {
  test.each(STORED)('A1: %s', (_what, before, command, events) => {
    expect(before.when(command).decision).toStrictEqual({ type: 'accepted', events })
  })
})
