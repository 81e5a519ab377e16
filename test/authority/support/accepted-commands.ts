/** Commands that are accepted, each on what it meets: every event that one operation may have, with all that it may say and without. */
import type { Command } from '../../../src/authority/commands.ts'
import type { KindDefinitions } from '../../../src/authority/kinds.ts'
import { type Specification, specification } from '../../../src/authority/specification.ts'

const KINDS: KindDefinitions = {
  peer: { expectsPeer: true },
  phased: { phases: ['read', 'write'] },
  patient: { policy: { retry: { maxAttempts: 9 } } },
}
export const ERROR = { message: 'broken', code: 'E', details: { at: 3 } }
export const WORKER = { id: 'w', host: 'h', pid: 7, version: '1' }
const empty = specification({ kinds: KINDS, at: 1_000 })
const queued = (kind = 'patient', more = {}) =>
  empty.given({ type: 'RegisterOperation', id: 'a', kind, ...more }).after(10)
const running = (kind = 'patient') =>
  queued(kind).given({ type: 'ProvisioningSucceeded', id: 'a', claimant: WORKER }).after(10)
const one = { id: 'a', leaseEpoch: 2 } as const
const reading = running('phased')
  .given({ type: 'StartPhase', ...one, phase: 'read' })
  .after(10)
const asked = running().given({ type: 'RequestCancel', id: 'a', reason: 'too slow' }).after(10)
const failed = running()
  .given({ type: 'FailOperation', ...one, error: ERROR })
  .after(10)
/** With all that an attempt may have: a sign, a peer, progress, attention, phases in every standing, the wish that it retire. */
const busy = specification({
  kinds: { k: { expectsPeer: true, phases: ['one', 'two', 'three'], policy: { retry: { maxAttempts: 9 } } } },
  at: 1_000,
})
  .given({ type: 'RegisterOperation', id: 'a', kind: 'k', phaseResults: { one: 1 }, claim: { claimant: WORKER } })
  .after(10)
  .given(
    { type: 'PeerReady', ...one, peer: 'tcp' },
    { type: 'ReportProgress', ...one, message: 'm', percent: 5, processed: 1, total: 20 },
    { type: 'RaiseAttention', id: 'a', rule: 'sign' },
    { type: 'StartPhase', ...one, phase: 'two' },
  )
  .after(10)
const again = busy.given({ type: 'RetryAttempt', ...one, error: ERROR, notBeforeAt: 0 }).after(10)
const discarded = specification({ kinds: { k: { retention: 'discard', feed: 'suppress' } }, at: 1_000 })
  .given({ type: 'RegisterOperation', id: 'a', kind: 'k', claim: { claimant: WORKER } })
  .after(10)
export const EVIDENCE = {
  rule: 'witness',
  attempt: 1,
  lastRevision: 99,
  judgedAt: 1,
  graceMs: 0,
  witness: 'completed',
} as const
const verdict = (disposition: Extract<Command, { type: 'ReconcileOperation' }>['disposition']): Command => ({
  type: 'ReconcileOperation',
  id: 'a',
  reasonCode: 'run.stalled',
  evidence: EVIDENCE,
  disposition,
})

export const STALLED = {
  message: 'The worker is alive, but made no progress for longer than its kind allows.',
  code: 'run.stalled',
}
export const RECONCILIATION = { reasonCode: 'run.stalled', evidence: EVIDENCE } as const
export const KIND_FACTS = {
  expectsPeer: false,
  feed: 'emit',
  wakeOwner: false,
  retention: 'retain',
  phases: null,
} as const

// biome-ignore format: a table, one line a case
export const ACCEPTED = {
  'a start': [queued(), { type: 'ProvisioningSucceeded', id: 'a' }],
  'a start by somebody': [queued(), { type: 'ProvisioningSucceeded', id: 'a', claimant: WORKER }],
  'a start at its very time': [queued('k', { notBeforeAt: 1_010 }), { type: 'ProvisioningSucceeded', id: 'a' }],
  'a start that failed': [queued(), { type: 'ProvisioningFailed', id: 'a', error: ERROR }],
  'an abort': [queued(), { type: 'AbortProvisioning', id: 'a' }],
  'an abort with a reason': [queued(), { type: 'AbortProvisioning', id: 'a', reason: 'r' }],
  'a peer': [running('peer'), { type: 'PeerReady', ...one, peer: { url: 'u' } }],
  'progress without a word': [running(), { type: 'ReportProgress', ...one }],
  'progress': [running(), { type: 'ReportProgress', ...one, message: 'm', percent: 5, processed: 1, total: 20 }],
  'a heartbeat': [running(), { type: 'RecordHeartbeat', ...one }],
  'the start of a phase': [running('phased'), { type: 'StartPhase', ...one, phase: 'read' }],
  'a phase that nobody declared': [running(), { type: 'StartPhase', ...one, phase: 'own' }],
  'the end of a phase': [reading, { type: 'CompletePhase', ...one, phase: 'read' }],
  'the end of a phase with a result': [reading, { type: 'CompletePhase', ...one, phase: 'read', result: { rows: 3 } }],
  'a phase that failed': [reading, { type: 'FailPhase', ...one, phase: 'read', error: ERROR }],
  'a failed phase, begun again': [reading.given({ type: 'FailPhase', ...one, phase: 'read', error: ERROR }), { type: 'StartPhase', ...one, phase: 'read' }],
  'a failed phase that nobody declared, begun again': [running().given({ type: 'StartPhase', ...one, phase: 'own' }, { type: 'FailPhase', ...one, phase: 'own', error: ERROR }), { type: 'StartPhase', ...one, phase: 'own' }],
  'completion': [running(), { type: 'CompleteOperation', ...one }],
  'completion with a result': [running(), { type: 'CompleteOperation', ...one, result: [1] }],
  'failure': [running(), { type: 'FailOperation', ...one, error: ERROR }],
  'an attempt that failed': [running(), { type: 'RetryAttempt', ...one, error: ERROR, notBeforeAt: 9_000 }],
  'the wish for a cancel of what waits': [queued(), { type: 'RequestCancel', id: 'a', reason: 'r' }],
  'the wish for a cancel, with the grace of its policy': [running(), { type: 'RequestCancel', id: 'a' }],
  'the wish for a cancel by a time': [running(), { type: 'RequestCancel', id: 'a', reason: 'r', deadlineAt: 4_000 }],
  'a cancel': [running(), { type: 'CancelOperation', id: 'a' }],
  'a cancel with a reason': [running(), { type: 'CancelOperation', id: 'a', reason: 'r' }],
  'the wish to retire': [running(), { type: 'RequestRetire', id: 'a' }],
  'a retirement': [running(), { type: 'MarkRetired', ...one, reason: 'r' }],
  'attention': [running(), { type: 'RaiseAttention', id: 'a', rule: 'sign' }],
  'attention under a second rule': [running().given({ type: 'RaiseAttention', id: 'a', rule: 'sign' }), { type: 'RaiseAttention', id: 'a', rule: 'runtime' }],
  'the end of attention': [running().given({ type: 'RaiseAttention', id: 'a', rule: 'runtime' }, { type: 'RaiseAttention', id: 'a', rule: 'sign' }), { type: 'ClearAttention', id: 'a', rule: 'sign' }],
  'a contradiction': [failed, { type: 'RecordContradiction', id: 'a', claimed: 'completed' }],
  'a contradiction with a result, under the last epoch that was': [failed, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 3, result: { rows: 3 } }],
  'a contradiction with an error': [running().given({ type: 'CompleteOperation', ...one }), { type: 'RecordContradiction', id: 'a', claimed: 'failed', epoch: 2, error: ERROR }],
  'a contradiction of which a tombstone is left': [failed.given({ type: 'CollectCompleted' }), { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 2 }],
  'a second contradiction of which a tombstone is left': [failed.given({ type: 'CollectCompleted' }, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 2 }), { type: 'RecordContradiction', id: 'a', claimed: 'completed' }],
  'another attempt of what was busy': [busy, { type: 'RetryAttempt', ...one, error: ERROR, notBeforeAt: 9_000 }],
  'another attempt of what was to retire': [busy.given({ type: 'RequestRetire', id: 'a' }), { type: 'ReconcileOperation', id: 'a', reasonCode: 'run.stalled', evidence: EVIDENCE, disposition: { type: 'retry', notBeforeAt: 9_000 } }],
  'the start of another attempt': [again, { type: 'ProvisioningSucceeded', id: 'a', claimant: WORKER }],
  'the end of what was busy': [busy, { type: 'FailOperation', ...one, error: ERROR }],
  'the end of what is not due': [queued('k', { notBeforeAt: 9_000 }), { type: 'CancelOperation', id: 'a' }],
  'the end of what is not kept': [discarded, { type: 'CompleteOperation', ...one }],
  'a sign by a witness': [queued(), { type: 'RecordSigns', signs: [[1, 1_005]] }],
  'a sign that is heard late': [running(), { type: 'RecordSigns', signs: [[1, 1_015]] }],
  'the same key again': [queued('patient', { key: 'key' }), { type: 'RegisterOperation', id: 'b', kind: 'k', key: 'key' }],
  'a collection': [failed, { type: 'CollectCompleted' }],
  'a rollback': [queued(), { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' }],
  'a verdict of failure': [running(), verdict({ type: 'fail' })],
  'a verdict of failure with an error': [running(), verdict({ type: 'fail', error: ERROR })],
  'a verdict to retry': [running(), verdict({ type: 'retry', notBeforeAt: 9_000 })],
  'a verdict to retry with an error': [running(), verdict({ type: 'retry', notBeforeAt: 9_000, error: ERROR })],
  'a verdict of cancel, by the reason that was given': [asked, verdict({ type: 'cancel' })],
  'a verdict of cancel with a reason of its own': [asked, verdict({ type: 'cancel', reason: 'over' })],
  'a verdict of cancel where nobody gave a reason': [running().given({ type: 'RequestCancel', id: 'a' }), verdict({ type: 'cancel' })],
  'a verdict of completion': [running(), verdict({ type: 'complete' })],
  'a verdict of completion with a result': [running(), verdict({ type: 'complete', result: [1] })],
  'the opening of a registry': [specification({ open: false }), { type: 'OpenRegistry', limits: { maxConcurrent: 3, endedWaits: 4 } }],
  'limits for a registry that is not open': [specification({ open: false }), { type: 'ChangeLimits', limits: { maxConcurrent: 3 } }],
  'limits': [empty, { type: 'ChangeLimits', limits: { endedWaits: 4, maxCompleted: 5 } }],
  'the retirement of an owner': [running(), { type: 'RetireOwner', reason: 'gone' }],
  'the end of an owner': [running(), { type: 'TerminateOwner', reason: 'over' }],
  'a wait for all': [running(), { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] }],
  'a wait of a run for any, until a time': [running(), { type: 'BeginWaitAny', waitId: 'w', ids: ['a'], runId: 'r', deadlineAt: 4_000 }],
  'the cancel of a wait': [running().given({ type: 'BeginWaitAny', waitId: 'w', ids: ['a'] }), { type: 'CancelWait', waitId: 'w' }],
  'a registration': [empty, { type: 'RegisterOperation', id: 'a', kind: 'k' }],
  'a registration with all that it may say': [empty, { type: 'RegisterOperation', id: 'a', kind: 'phased', key: 'key', notBeforeAt: 1_000, retryOf: { id: 'z', number: 9 }, name: 'n', source: 's', input: { i: 1 }, labels: { l: 'v' }, phaseResults: { read: { rows: 3 } }, claim: { claimant: WORKER } }],
  'a registration with a claim of nobody in particular': [empty, { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }],
} satisfies Record<string, readonly [Specification, Command]>
