import { describe, expect, test } from 'vitest'
import type { Command } from '../../src/authority/commands.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const KINDS: KindDefinitions = {
  peer: { expectsPeer: true },
  phased: { phases: ['read', 'write'] },
  patient: { policy: { retry: { maxAttempts: 9 } } },
}
const error = { message: 'broken' }
const worker = { id: 'w' }
const empty = specification({ kinds: KINDS, at: 1_000 })
const queued = (kind = 'k', more = {}) => empty.given({ type: 'RegisterOperation', id: 'a', kind, ...more })
const running = (kind = 'k') => queued(kind).given({ type: 'ProvisioningSucceeded', id: 'a', claimant: worker })
const cancelled = queued().given({ type: 'CancelOperation', id: 'a', reason: 'no need' })
const buried = cancelled.given({ type: 'CollectCompleted' })
const failed = running().given({ type: 'FailOperation', id: 'a', leaseEpoch: 2, error })
const evidence = { rule: 'witness', attempt: 1, lastRevision: 9, judgedAt: 1, graceMs: 0, witness: 'unknown' } as const
const verdict = (disposition: Extract<Command, { type: 'ReconcileOperation' }>['disposition'], more = {}): Command => ({
  type: 'ReconcileOperation',
  id: 'a',
  reasonCode: 'run.stalled',
  evidence: { ...evidence, ...more },
  disposition,
})
const waits = running().given(
  { type: 'ChangeLimits', limits: { maxActiveWaits: 1 } },
  { type: 'BeginWaitAll', waitId: 'w', ids: ['a'], deadlineAt: 5_000 },
)
const manyPhases = Array.from({ length: 64 }, (_, i) => `p${i}`).reduce<Specification>(
  (b, phase) =>
    b.given(
      { type: 'StartPhase', id: 'a', phase, leaseEpoch: 2 },
      { type: 'CompletePhase', id: 'a', phase, leaseEpoch: 2 },
    ),
  running(),
)

/** Claimed, with as many events as there may be contradictions and some more, and cancelled. */
const long = Array.from({ length: 70 })
  .reduce<Specification>((b) => b.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2 }), running())
  .given({ type: 'CancelOperation', id: 'a' })
const contradicted = Array.from({ length: 64 }, (_, i) => i + 2).reduce<Specification>(
  (b, epoch) => b.given({ type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch }),
  long,
)

/** The truth about the one operation, which every refusal of a command to it tells. */
const is = (currentStatus: string, more: object = {}) => ({ operationId: 'a', number: 1, currentStatus, ...more })

/** What is sent, what it meets, the refusal by name (with a `~` where it is idempotent) and sentence, and its facts beside the command. */
// biome-ignore format: a table, one line a case
const REFUSALS: readonly (readonly [what: string, Specification, Command, refusal: string, facts: object])[] = [
  ['an operation that is not there', empty, { type: 'CancelOperation', id: 'a' }, 'not_found: CancelOperation refused: there is no operation a', { operationId: 'a' }],
  ['an id that is registered', queued(), { type: 'RegisterOperation', id: 'a', kind: 'k' }, 'already_registered: operation a is registered already (provisioning)', is('provisioning')],
  ['an id of which a tombstone is left', buried, { type: 'RegisterOperation', id: 'a', kind: 'k' }, 'already_registered: operation a is registered already (cancelled)', is('cancelled', { terminalRevision: 2 })],
  ['one more than the limit of the registry', empty.given({ type: 'ChangeLimits', limits: { maxConcurrent: 0 } }), { type: 'RegisterOperation', id: 'a', kind: 'k' }, 'max_concurrent_exceeded: 0 operations are active, at most 0 may be', { operationId: 'a', limit: 0, active: 0 }],
  ['one more than the limit that it names itself', queued(), { type: 'RegisterOperation', id: 'b', kind: 'k', maxConcurrent: 1 }, 'max_concurrent_exceeded: 1 operations are active, at most 1 may be', { operationId: 'b', limit: 1, active: 1 }],
  ['one more than the ceiling, where nothing else limits', queued().given({ type: 'ChangeLimits', limits: { activeCeiling: 1 } }), { type: 'RegisterOperation', id: 'b', kind: 'k', maxConcurrent: null }, 'max_concurrent_exceeded: 1 operations are active, at most 1 may be', { operationId: 'b', limit: 1, active: 1 }],
  ['a claim with a time ahead', empty, { type: 'RegisterOperation', id: 'a', kind: 'k', notBeforeAt: 1_001, claim: {} }, 'not_due: operation a may not be claimed before 1001', { operationId: 'a', notBeforeAt: 1_001 }],
  ['a result of a phase that its kind does not have', empty, { type: 'RegisterOperation', id: 'a', kind: 'phased', phaseResults: { read: 1, fly: 2 } }, 'unknown_phase: kind phased has no phase fly', { operationId: 'a', phase: 'fly', phases: ['read', 'write'] }],
  ['a claim before its time', queued('k', { notBeforeAt: 1_001 }), { type: 'ProvisioningSucceeded', id: 'a' }, 'not_due: operation a may not be claimed before 1001', is('provisioning', { notBeforeAt: 1_001 })],
  ['a claim of another', running(), { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'v' } }, 'already_claimed: operation a is claimed already', is('running', { claimant: { id: 'w' } })],
  ['the same claim again', running(), { type: 'ProvisioningSucceeded', id: 'a', claimant: worker }, '~already_claimed: operation a is claimed already', is('running', { claimant: { id: 'w' }, leaseEpoch: 2, cancelRequested: false, nextHeartbeatBefore: 61_000 })],
  ['the same claim again, after a sign and the wish that it be cancelled', running().after(5).given({ type: 'RecordHeartbeat', id: 'a', leaseEpoch: 2 }, { type: 'RequestCancel', id: 'a' }), { type: 'ProvisioningSucceeded', id: 'a', claimant: worker }, '~already_claimed: operation a is claimed already', is('running', { claimant: { id: 'w' }, leaseEpoch: 2, cancelRequested: true, nextHeartbeatBefore: 61_005 })],
  ['a start that failed when it had been made', running(), { type: 'ProvisioningFailed', id: 'a', error }, 'illegal_transition: ProvisioningFailed is not legal for operation a, which is running', is('running')],
  ['a heartbeat of nobody', queued(), { type: 'RecordHeartbeat', id: 'a' }, 'illegal_transition: RecordHeartbeat is not legal for operation a, which is provisioning', is('provisioning')],
  ['a report of what waits', queued(), { type: 'ReportProgress', id: 'a' }, 'illegal_transition: ReportProgress is not legal for operation a, which is provisioning', is('provisioning')],
  ['a lease that is not carried', running(), { type: 'ReportProgress', id: 'a' }, 'lease_required: ReportProgress of operation a must carry the lease epoch: a worker holds it', is('running')],
  ['another lease', running(), { type: 'ReportProgress', id: 'a', leaseEpoch: 7 }, 'stale_lease: ReportProgress carries lease epoch 7 of operation a, which is not its lease', is('running', { leaseEpoch: 2, carriedEpoch: 7 })],
  ['a lease where there is none', queued(), { type: 'CancelOperation', id: 'a', leaseEpoch: 7 }, 'stale_lease: CancelOperation carries lease epoch 7 of operation a, which is not its lease', is('provisioning', { carriedEpoch: 7 })],
  ['another lease than the last one of what has ended', failed, { type: 'CompleteOperation', id: 'a', leaseEpoch: 7 }, 'stale_lease: CompleteOperation carries lease epoch 7 of operation a, which is not its lease', is('failed', { outcome: { status: 'failed', error: { message: 'broken' } }, terminalRevision: 3, leaseEpoch: 2, carriedEpoch: 7 })],
  ['another lease than the last one of which a tombstone is left', failed.given({ type: 'CollectCompleted' }), { type: 'CompleteOperation', id: 'a', leaseEpoch: 7 }, 'stale_lease: CompleteOperation carries lease epoch 7 of operation a, which is not its lease', is('failed', { terminalRevision: 3, leaseEpoch: 2, carriedEpoch: 7 })],
  ['an end after an end', failed, { type: 'CompleteOperation', id: 'a', leaseEpoch: 2 }, 'already_terminal: CompleteOperation refused: operation a is failed', is('failed', { outcome: { status: 'failed', error: { message: 'broken' } }, terminalRevision: 3, leaseEpoch: 2 })],
  ['an end after an end of which a tombstone is left', failed.given({ type: 'CollectCompleted' }), { type: 'CancelOperation', id: 'a' }, 'already_terminal: CancelOperation refused: operation a is failed', is('failed', { terminalRevision: 3, leaseEpoch: 2 })],
  ['a cancel after an end, asked for', cancelled, { type: 'RequestCancel', id: 'a' }, '~already_terminal: RequestCancel refused: operation a is cancelled', is('cancelled', { outcome: { status: 'cancelled', reason: 'no need' }, terminalRevision: 2 })],
  ['a peer that nobody expects', running(), { type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 1 }, 'peer_not_expected: operation a is of kind k, which expects no peer', is('running')],
  ['a second peer', running('peer').given({ type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 1 }), { type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 1 }, 'already_peer_ready: operation a has its peer already', is('running')],
  ['a phase that is not declared', running('phased'), { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'fly' }, 'unknown_phase: operation a has no phase fly', is('running', { phase: 'fly', phases: ['read', 'write'] })],
  ['one phase too many', manyPhases, { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'fly' }, 'unknown_phase: operation a takes at most 64 phases', is('running', { phase: 'fly', limit: 64 })],
  ['an end of a phase that was never named', running(), { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'fly' }, 'unknown_phase: operation a has no phase fly', is('running', { phase: 'fly', phases: [] })],
  ['a phase before the one before it', running('phased'), { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'write' }, 'phase_out_of_order: StartPhase of phase write of operation a is out of order', is('running', { phase: 'write', phaseStatus: 'pending' })],
  ['a phase that nobody declared, before the one before it', running().given({ type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'one' }), { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'two' }, 'phase_out_of_order: StartPhase of phase two of operation a is out of order', is('running', { phase: 'two' })],
  ['a phase that is under way, again', running('phased').given({ type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' }), { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' }, 'phase_out_of_order: StartPhase of phase read of operation a is out of order', is('running', { phase: 'read', phaseStatus: 'started' })],
  ['a phase that is completed, again', running('phased').given({ type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' }, { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'read' }), { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' }, 'phase_out_of_order: StartPhase of phase read of operation a is out of order', is('running', { phase: 'read', phaseStatus: 'completed' })],
  ['completion with phases ahead', running('phased').given({ type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' }, { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'read' }), { type: 'CompleteOperation', id: 'a', leaseEpoch: 2 }, 'phases_unfinished: operation a has unfinished phases: write', is('running', { phases: ['write'] })],
  ['completion with several phases ahead', running('phased'), { type: 'CompleteOperation', id: 'a', leaseEpoch: 2 }, 'phases_unfinished: operation a has unfinished phases: read, write', is('running', { phases: ['read', 'write'] })],
  ['a retry after the last attempt', running(), { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 }, 'attempts_exhausted: operation a may not be tried again: attempts_exhausted', is('running', { attempt: 1 })],
  ['a retry of what shall be cancelled', running('patient').given({ type: 'RequestCancel', id: 'a' }), { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 }, 'cancel_requested: operation a may not be tried again: cancel_requested', is('running', { attempt: 1 })],
  ['a cancel, asked for again', running().given({ type: 'RequestCancel', id: 'a', deadlineAt: 4_000 }), { type: 'RequestCancel', id: 'a', deadlineAt: 9_000 }, '~already_requested: a cancel of operation a was requested before', is('running', { deadlineAt: 4_000 })],
  ['to retire, asked for again', running().given({ type: 'RequestRetire', id: 'a' }), { type: 'RequestRetire', id: 'a' }, '~already_requested: operation a was asked to retire before', is('retiring')],
  ['attention that is raised', queued().given({ type: 'RaiseAttention', id: 'a', rule: 'queued' }), { type: 'RaiseAttention', id: 'a', rule: 'queued' }, '~already_requested: RaiseAttention of operation a for queued: it is so already', is('provisioning', { rule: 'queued' })],
  ['the end of an attention that is not raised', queued(), { type: 'ClearAttention', id: 'a', rule: 'queued' }, '~already_requested: ClearAttention of operation a for queued: it is so already', is('provisioning', { rule: 'queued' })],
  ['evidence that is outdated', queued(), verdict({ type: 'fail' }, { attempt: 2 }), 'evidence_outdated: operation a moved on since it was judged', is('provisioning')],
  ['evidence about what has ended', failed, verdict({ type: 'fail' }), 'evidence_outdated: operation a moved on since it was judged', is('failed', { outcome: { status: 'failed', error: { message: 'broken' } }, terminalRevision: 3 })],
  ['a verdict to retry, after the last attempt', queued(), verdict({ type: 'retry', notBeforeAt: 0 }), 'retry_not_allowed: operation a may not be retried: attempts_exhausted', is('provisioning', { why: 'attempts_exhausted' })],
  ['a forced cancel that nobody asked for', queued(), verdict({ type: 'cancel' }), 'disposition_not_allowed: operation a may not be ended so: no cancel was requested', is('provisioning', { disposition: 'cancel', why: 'no cancel was requested' })],
  ['a completion that nobody saw', queued(), verdict({ type: 'complete' }), 'disposition_not_allowed: operation a may not be ended so: only a witness that saw it complete may complete it', is('provisioning', { disposition: 'complete', why: 'only a witness that saw it complete may complete it' })],
  ['a report that contradicts nothing', cancelled, { type: 'RecordContradiction', id: 'a', claimed: 'failed' }, 'contradiction_not_allowed: a report of failed does not contradict operation a (cancelled)', is('cancelled', { outcome: { status: 'cancelled', reason: 'no need' }, terminalRevision: 2 })],
  ['a contradiction that is on record', cancelled.given({ type: 'RecordContradiction', id: 'a', claimed: 'completed' }), { type: 'RecordContradiction', id: 'a', claimed: 'completed' }, '~already_requested: that report about operation a is on record', is('cancelled', { outcome: { status: 'cancelled', reason: 'no need' }, terminalRevision: 2 })],
  ['a report under the epoch of another life', cancelled, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 1 }, 'contradiction_not_allowed: a report of completed does not contradict operation a (cancelled)', is('cancelled', { outcome: { status: 'cancelled', reason: 'no need' }, terminalRevision: 2 })],
  ['a report under an epoch that is still to come', cancelled, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 3 }, 'contradiction_not_allowed: a report of completed does not contradict operation a (cancelled)', is('cancelled', { outcome: { status: 'cancelled', reason: 'no need' }, terminalRevision: 2 })],
  ['a contradiction too many', contradicted, { type: 'RecordContradiction', id: 'a', claimed: 'completed', epoch: 66 }, 'contradiction_not_allowed: operation a was contradicted 64 times already', is('cancelled', { outcome: { status: 'cancelled' }, terminalRevision: 73, limit: 64 })],
  ['a rollback by another', queued(), { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'x' }, 'rollback_refused: the registration of operation a stays: another command registered it', is('provisioning', { why: 'another command registered it' })],
  ['other limits for a registry that is open', empty, { type: 'OpenRegistry', limits: { maxConcurrent: 3 } }, 'registry_already_open: the registry is open with other limits: ChangeLimits changes them', { limits: { maxConcurrent: null, maxCompleted: 256, maxActiveWaits: null, activeCeiling: 100_000, tombstones: 10_000, feedRetention: 4_096, commandMemory: { ms: 900_000, min: 4_096, max: 16_384 }, endedWaits: 256 } }],
  ['a second wait behind a strict barrier', waits, { type: 'BeginWaitAny', waitId: 'v', ids: ['a'] }, 'wait_already_active: 1 waits are active, at most 1 may be', { waitId: 'v', limit: 1, active: 1 }],
  ['a wait id for other operations', waits, { type: 'BeginWaitAny', waitId: 'w', ids: ['a'] }, 'wait_id_conflict: wait w was begun for other operations', { waitId: 'w' }],
  ['a wait for one operation twice', running(), { type: 'BeginWaitAll', waitId: 'v', ids: ['a', 'a'] }, 'duplicate_wait_operation: operation a is named twice in wait v', { operationId: 'a', waitId: 'v' }],
  ['a wait for nobody', running(), { type: 'BeginWaitAll', waitId: 'v', ids: ['x'] }, 'not_found: wait v names operation x, which is not there', { operationId: 'x', waitId: 'v' }],
  ['the end of no wait', running(), { type: 'CancelWait', waitId: 'v' }, 'wait_not_active: wait v is not active', { waitId: 'v' }],
  ['the deadline of no wait', running(), { type: 'ExpireWait', waitId: 'v' }, 'wait_not_active: wait v is not active', { waitId: 'v' }],
  ['a deadline that is ahead', waits, { type: 'ExpireWait', waitId: 'w' }, 'not_due: wait w ends at 5000', { waitId: 'w', deadlineAt: 5_000 }],
  ['whatever is asked of a retired owner', empty.given({ type: 'RetireOwner', reason: 'gone' }), { type: 'CancelOperation', id: 'a' }, 'owner_retired: CancelOperation refused: the owner is retired', { operationId: 'a' }],
  ['what names no operation, asked of a retired owner', empty.given({ type: 'RetireOwner', reason: 'gone' }), { type: 'ChangeLimits', limits: {} }, 'owner_retired: ChangeLimits refused: the owner is retired', {}],
]

describe('a refusal says what was sent, to whom, and what it met', () => {
  test.each(REFUSALS)('A1: %s', (_what, before, command, refusal, facts) => {
    const [, idempotent, code, message] = /^(~?)(\w+): (.*)$/.exec(refusal) ?? []
    const rejection = { code, message, facts: { ...facts, command: command.type } }
    expect(before.when(command).decision).toStrictEqual({
      type: 'rejected',
      rejection: idempotent ? { ...rejection, idempotent: true } : rejection,
    })
  })
})
