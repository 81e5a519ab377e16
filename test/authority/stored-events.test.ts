import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/authority/events.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import { ACCEPTED, ERROR, KIND_FACTS, RECONCILIATION, STALLED, WORKER } from './support/accepted-commands.ts'

const DIGEST_KEY = '0'.repeat(64)

/** The events of each, to the last field: what nobody said has no field. */
// biome-ignore format: a table, one line a case
const STORED: Record<keyof typeof ACCEPTED, readonly object[]> = {
  'a start': [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-2' } }, content: {} }],
  'a start by somebody': [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: WORKER }, content: {} }],
  'a start at its very time': [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-2' } }, content: {} }],
  'a start that failed': [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1 }, content: { error: ERROR } }],
  'an abort': [{ type: 'OperationAborted', facts: { id: 'a', number: 1, sequence: 1 }, content: {} }],
  'an abort with a reason': [{ type: 'OperationAborted', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }],
  'a peer': [{ type: 'PeerBecameReady', facts: { id: 'a', number: 1 }, content: { peer: { url: 'u' } } }],
  'progress without a word': [{ type: 'ProgressReported', facts: { id: 'a', number: 1, reports: 1 }, content: {} }],
  'progress': [{ type: 'ProgressReported', facts: { id: 'a', number: 1, reports: 1, percent: 5, processed: 1, total: 20 }, content: { message: 'm' } }],
  'a heartbeat': [{ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1_020]] }, content: {} }],
  'the start of a phase': [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: {} }],
  'a phase that nobody declared': [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'own', attempt: 1 }, content: {} }],
  'the end of a phase': [{ type: 'PhaseCompleted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { result: null } }],
  'the end of a phase with a result': [{ type: 'PhaseCompleted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { result: { rows: 3 } } }],
  'a phase that failed': [{ type: 'PhaseFailed', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: { error: ERROR } }],
  'a failed phase, begun again': [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'read', attempt: 1 }, content: {} }],
  'a failed phase that nobody declared, begun again': [{ type: 'PhaseStarted', facts: { id: 'a', number: 1, phase: 'own', attempt: 1 }, content: {} }],
  'completion': [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1 }, content: { result: null } }],
  'completion with a result': [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1 }, content: { result: [1] } }],
  'failure': [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1 }, content: { error: ERROR } }],
  'an attempt that failed': [{ type: 'AttemptFailed', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000 }, content: { error: ERROR } }],
  'the wish for a cancel of what waits': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }],
  'the wish for a cancel, with the grace of its policy': [{ type: 'CancelRequested', facts: { id: 'a', number: 1, deadlineAt: 31_020 }, content: {} }],
  'the wish for a cancel by a time': [{ type: 'CancelRequested', facts: { id: 'a', number: 1, deadlineAt: 4_000 }, content: { reason: 'r' } }],
  'a cancel': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: {} }],
  'a cancel with a reason': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }],
  'the wish to retire': [{ type: 'RetireRequested', facts: { id: 'a', number: 1 }, content: {} }],
  'a retirement': [{ type: 'OperationRetired', facts: { id: 'a', number: 1, sequence: 1 }, content: { reason: 'r' } }],
  'attention': [{ type: 'AttentionRaised', facts: { id: 'a', number: 1, attempt: 1, rule: 'sign' }, content: {} }],
  'attention under a second rule': [{ type: 'AttentionRaised', facts: { id: 'a', number: 1, attempt: 1, rule: 'runtime' }, content: {} }],
  'the end of attention': [{ type: 'AttentionCleared', facts: { id: 'a', number: 1, attempt: 1, rule: 'sign' }, content: {} }],
  'a contradiction': [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed' }, content: {} }],
  'a contradiction with a result, under the last epoch that was': [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed', leaseEpoch: 3 }, content: { result: { rows: 3 } } }],
  'a contradiction with an error': [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'failed', leaseEpoch: 2 }, content: { error: ERROR } }],
  'a contradiction of which a tombstone is left': [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed', leaseEpoch: 2 }, content: {} }],
  'a second contradiction of which a tombstone is left': [{ type: 'ContradictionRecorded', facts: { id: 'a', number: 1, claimed: 'completed' }, content: {} }],
  'another attempt of what was busy': [{ type: 'AttemptFailed', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000 }, content: { error: ERROR } }],
  'another attempt of what was to retire': [{ type: 'AttemptLost', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000, reconciliation: RECONCILIATION }, content: { error: STALLED } }],
  'the start of another attempt': [{ type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 2, claimant: WORKER }, content: {} }],
  'the end of what was busy': [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1 }, content: { error: ERROR } }],
  'the end of what is not due': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: {} }],
  'the end of what is not kept': [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1 }, content: { result: null } }],
  'a sign by a witness': [{ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1_005]] }, content: {} }],
  'a sign that is heard late': [{ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1_015]] }, content: {} }],
  'the same key again': [{ type: 'RegistrationJoined', facts: { id: 'a', number: 1 }, content: {} }],
  'a collection': [{ type: 'CompletedCollected', facts: { fromSequence: 1, throughSequence: 1 }, content: {} }],
  'a rollback': [{ type: 'RegistrationRolledBack', facts: { id: 'a', number: 1 }, content: {} }],
  'a verdict of failure': [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, content: { error: STALLED } }],
  'a verdict of failure with an error': [{ type: 'OperationFailed', facts: { id: 'a', number: 1, sequence: 1, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, content: { error: ERROR } }],
  'a verdict to retry': [{ type: 'AttemptLost', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000, reconciliation: RECONCILIATION }, content: { error: STALLED } }],
  'a verdict to retry with an error': [{ type: 'AttemptLost', facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 9_000, reconciliation: RECONCILIATION }, content: { error: ERROR } }],
  'a verdict of cancel, by the reason that was given': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: RECONCILIATION }, content: { reason: 'too slow' } }],
  'a verdict of cancel with a reason of its own': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: RECONCILIATION }, content: { reason: 'over' } }],
  'a verdict of cancel where nobody gave a reason': [{ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1, reconciliation: RECONCILIATION }, content: {} }],
  'a verdict of completion': [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1, reconciliation: RECONCILIATION }, content: { result: null } }],
  'a verdict of completion with a result': [{ type: 'OperationCompleted', facts: { id: 'a', number: 1, sequence: 1, reconciliation: RECONCILIATION }, content: { result: [1] } }],
  'the opening of a registry': [{ type: 'RegistryOpened', facts: { registryId: 'registry', limits: { ...DEFAULT_LIMITS, maxConcurrent: 3, endedWaits: 4 } }, content: { digestKey: DIGEST_KEY } }],
  'limits for a registry that is not open': [{ type: 'RegistryOpened', facts: { registryId: 'registry', limits: { ...DEFAULT_LIMITS, maxConcurrent: 3 } }, content: { digestKey: DIGEST_KEY } }],
  'limits': [{ type: 'RegistryLimitsChanged', facts: { limits: { ...DEFAULT_LIMITS, maxCompleted: 5, endedWaits: 4 } }, content: {} }],
  'the retirement of an owner': [{ type: 'OwnerTerminated', facts: { numbers: [1], firstSequence: 1 }, content: { reason: 'gone' } }, { type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } }],
  'the end of an owner': [{ type: 'OwnerTerminated', facts: { numbers: [1], firstSequence: 1 }, content: { reason: 'over' } }],
  'a wait for all': [{ type: 'WaitBegan', facts: { waitId: 'w', mode: 'all', numbers: [1], deadlineAt: 3_601_020 }, content: {} }],
  'a wait of a run for any, until a time': [{ type: 'WaitBegan', facts: { waitId: 'w', mode: 'any', numbers: [1], runId: 'r', deadlineAt: 4_000 }, content: {} }],
  'the cancel of a wait': [{ type: 'WaitCancelled', facts: { waitId: 'w' }, content: {} }],
  'a registration': [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY }, content: {} }],
  'a registration with all that it may say': [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'phased', kindFacts: { ...KIND_FACTS, phases: ['read', 'write'] }, policy: DEFAULT_POLICY, key: 'key', notBeforeAt: 1_000, retryOf: { id: 'z', number: 9 } }, content: { name: 'n', source: 's', input: { i: 1 }, labels: { l: 'v' }, phaseResults: { read: { rows: 3 } } } }, { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: WORKER }, content: {} }],
  'a registration with a claim of nobody in particular': [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY }, content: {} }, { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1, claimant: { id: 'command-1' } }, content: {} }],
}

describe('what is sent is what is stored', () => {
  test.each(Object.entries(ACCEPTED))('A1: %s', (what, [before, command]) => {
    const events = STORED[what as keyof typeof ACCEPTED]
    expect(before.when(command).decision).toStrictEqual({ type: 'accepted', events })
  })
})
