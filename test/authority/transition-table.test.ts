import { describe, expect, test } from 'vitest'
import { COMMAND_SCHEMAS, type Command, type OperationCommand } from '../../src/authority/commands.ts'
import type { Evidence } from '../../src/authority/events.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { TERMINAL_STATUSES } from '../../src/authority/status.ts'

/**
 * Section 4 of the law as a table, written by hand from the law and not from the code. One line for each command and each
 * of its own guards; a cell is the status after it, or the code of the refusal, with a `~` where it is idempotent. `ended` are
 * the five terminal statuses beside completed; a cross means that only the tombstone is left; a dash that there is no such
 * case. All lines are sent by the worker of the lease, where there is one.
 */
const TABLE = `
| command                                   | absent       | provisioning         | running              | retiring             | completed                   | ended                     | completed+                  | ended+                    |
|-------------------------------------------|--------------|----------------------|----------------------|----------------------|-----------------------------|---------------------------|-----------------------------|---------------------------|
| RegisterOperation                         | provisioning | already_registered   | already_registered   | already_registered   | already_registered          | already_registered        | already_registered          | already_registered        |
| RegisterOperation, with a claim           | running      | already_registered   | already_registered   | already_registered   | already_registered          | already_registered        | already_registered          | already_registered        |
| RegisterOperation, another id, same key   | provisioning | joins                | joins                | joins                | provisioning                | provisioning              | provisioning                | provisioning              |
| ProvisioningSucceeded                     | not_found    | running              | ~already_claimed     | illegal_transition   | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| ProvisioningSucceeded, another claimant   | not_found    | running              | already_claimed      | illegal_transition   | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| ProvisioningSucceeded, before its time    | not_found    | not_due              | -                    | -                    | -                           | ~already_terminal         | -                           | ~already_terminal         |
| ProvisioningFailed                        | not_found    | failed               | illegal_transition   | illegal_transition   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| AbortProvisioning                         | not_found    | aborted              | illegal_transition   | illegal_transition   | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| PeerReady                                 | not_found    | illegal_transition   | running              | retiring             | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| PeerReady, ready before                   | not_found    | -                    | already_peer_ready   | already_peer_ready   | already_peer_ready          | already_peer_ready        | ~already_terminal           | ~already_terminal         |
| PeerReady, where none is expected         | not_found    | peer_not_expected    | peer_not_expected    | peer_not_expected    | peer_not_expected           | peer_not_expected         | ~already_terminal           | ~already_terminal         |
| ReportProgress                            | not_found    | illegal_transition   | running              | retiring             | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| RecordHeartbeat                           | not_found    | illegal_transition   | running              | retiring             | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| RecordSigns                               | unchanged    | provisioning         | running              | retiring             | unchanged                   | unchanged                 | unchanged                   | unchanged                 |
| StartPhase                                | not_found    | illegal_transition   | running              | retiring             | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| StartPhase, undeclared                    | not_found    | unknown_phase        | unknown_phase        | unknown_phase        | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| StartPhase, of the second                 | not_found    | phase_out_of_order   | phase_out_of_order   | phase_out_of_order   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| StartPhase, of a failed one               | not_found    | -                    | running              | retiring             | -                           | already_terminal          | -                           | already_terminal          |
| CompletePhase                             | not_found    | -                    | running              | retiring             | -                           | already_terminal          | -                           | already_terminal          |
| CompletePhase, not started                | not_found    | phase_out_of_order   | phase_out_of_order   | phase_out_of_order   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| FailPhase                                 | not_found    | -                    | running              | retiring             | -                           | already_terminal          | -                           | already_terminal          |
| FailPhase, not started                    | not_found    | phase_out_of_order   | phase_out_of_order   | phase_out_of_order   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| CompleteOperation                         | not_found    | illegal_transition   | completed            | completed            | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| CompleteOperation, with phases unfinished | not_found    | phases_unfinished    | phases_unfinished    | phases_unfinished    | -                           | already_terminal          | -                           | already_terminal          |
| FailOperation                             | not_found    | failed               | failed               | failed               | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RetryAttempt                              | not_found    | illegal_transition   | provisioning         | illegal_transition   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RetryAttempt, after the last attempt      | not_found    | attempts_exhausted   | attempts_exhausted   | attempts_exhausted   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RetryAttempt, with a cancel requested     | not_found    | -                    | cancel_requested     | cancel_requested     | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RequestCancel                             | not_found    | cancelled            | running              | retiring             | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| RequestCancel, again                      | not_found    | -                    | ~already_requested   | ~already_requested   | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| CancelOperation                           | not_found    | cancelled            | cancelled            | cancelled            | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RequestRetire                             | not_found    | illegal_transition   | retiring             | ~already_requested   | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| MarkRetired                               | not_found    | illegal_transition   | retired              | retired              | ~already_terminal           | ~already_terminal         | ~already_terminal           | ~already_terminal         |
| ReconcileOperation, fail                  | not_found    | failed               | failed               | failed               | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, retry                 | not_found    | provisioning         | provisioning         | provisioning         | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, retry after the last  | not_found    | retry_not_allowed    | retry_not_allowed    | retry_not_allowed    | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, cancel                | not_found    | -                    | cancelled            | cancelled            | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, cancel unasked        | not_found    | disposition_not_allowed | disposition_not_allowed | disposition_not_allowed | evidence_outdated  | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, complete              | not_found    | completed            | completed            | completed            | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, complete unwitnessed  | not_found    | disposition_not_allowed | disposition_not_allowed | disposition_not_allowed | evidence_outdated  | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| ReconcileOperation, outdated              | not_found    | evidence_outdated    | evidence_outdated    | evidence_outdated    | evidence_outdated           | evidence_outdated         | evidence_outdated           | evidence_outdated         |
| RaiseAttention                            | not_found    | provisioning         | running              | retiring             | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RaiseAttention, raised                    | not_found    | ~already_requested   | ~already_requested   | ~already_requested   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| ClearAttention                            | not_found    | ~already_requested   | ~already_requested   | ~already_requested   | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| ClearAttention, raised                    | not_found    | provisioning         | running              | retiring             | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RecordContradiction, completed            | not_found    | contradiction_not_allowed | contradiction_not_allowed | contradiction_not_allowed | contradiction_not_allowed | same           | contradiction_not_allowed   | same                      |
| RecordContradiction, completed, old epoch | not_found    | provisioning         | running              | retiring             | contradiction_not_allowed   | same                      | contradiction_not_allowed   | same                      |
| RecordContradiction, completed, its epoch | not_found    | -                    | contradiction_not_allowed | contradiction_not_allowed | contradiction_not_allowed | same           | contradiction_not_allowed   | same                      |
| RecordContradiction, failed               | not_found    | contradiction_not_allowed | contradiction_not_allowed | contradiction_not_allowed | same                 | contradiction_not_allowed | same                        | contradiction_not_allowed |
| RecordContradiction, failed, old epoch    | not_found    | contradiction_not_allowed | contradiction_not_allowed | contradiction_not_allowed | same                 | contradiction_not_allowed | same                        | contradiction_not_allowed |
| RecordContradiction, on record            | not_found    | -                    | -                    | -                    | -                           | ~already_requested        | -                           | ~already_requested        |
| RollbackRegistration                      | not_found    | absent               | rollback_refused     | rollback_refused     | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
| RollbackRegistration, of another command  | not_found    | rollback_refused     | rollback_refused     | rollback_refused     | already_terminal            | already_terminal          | already_terminal            | already_terminal          |
`

const KINDS: KindDefinitions = {
  plain: {},
  patient: { policy: { retry: { maxAttempts: 9 } } },
  peer: { expectsPeer: true },
  phased: { phases: ['read', 'write'] },
}

const error = { message: 'broken' }
const epochOf = ({ state }: Specification) => {
  const lease = state.operations.get('a')?.lease?.epoch ?? state.tombstones.get('a')?.leaseEpoch
  return lease === undefined ? {} : { leaseEpoch: lease }
}

/** How a line is sent: what its operation is like, what happened to it first, and the command. */
interface Line {
  readonly kind?: string
  /** Given at registration. */
  readonly registration?: { readonly notBeforeAt?: number; readonly key?: string }
  /** Happens as soon as it may: on what is provisioning, or once it runs. */
  readonly whenProvisioning?: readonly Command[]
  readonly whenRunning?: readonly OperationCommand[]
  /** Happens at the end of a terminal operation. */
  readonly whenTerminal?: readonly Command[]
  /** Finishes its phases before it completes. */
  readonly finishesPhases?: true
  readonly command: (before: Specification) => Command
}

const witness = (before: Specification, answer: 'completed' | 'unknown' = 'unknown'): Evidence => ({
  rule: 'witness',
  attempt: before.state.operations.get('a')?.attempt ?? 1,
  lastRevision: before.state.operations.get('a')?.lastRevision ?? 0,
  judgedAt: before.at,
  graceMs: 0,
  witness: answer,
})

const reconcile = (
  disposition: Extract<Command, { type: 'ReconcileOperation' }>['disposition'],
  answer?: 'completed',
): Line['command'] => {
  return (before) => ({
    type: 'ReconcileOperation',
    id: 'a',
    evidence: witness(before, answer),
    reasonCode: 'run.stale_running',
    disposition,
  })
}

/** An epoch of this operation that is not its lease: of the attempt that was tried again. */
const oldEpoch = (before: Specification) => (before.state.operations.get('a')?.number ?? 1) + 1

const LINES: Readonly<Record<string, Line>> = {
  RegisterOperation: { command: () => ({ type: 'RegisterOperation', id: 'a', kind: 'plain' }) },
  'RegisterOperation, with a claim': {
    command: () => ({ type: 'RegisterOperation', id: 'a', kind: 'plain', claim: {} }),
  },
  'RegisterOperation, another id, same key': {
    registration: { key: 'orders' },
    command: () => ({ type: 'RegisterOperation', id: 'b', kind: 'plain', key: 'orders' }),
  },
  ProvisioningSucceeded: {
    command: () => ({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'worker' } }),
  },
  'ProvisioningSucceeded, another claimant': {
    command: () => ({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'rival' } }),
  },
  'ProvisioningSucceeded, before its time': {
    registration: { notBeforeAt: 9_000_000 },
    command: () => ({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'worker' } }),
  },
  ProvisioningFailed: { command: () => ({ type: 'ProvisioningFailed', id: 'a', error }) },
  AbortProvisioning: { command: () => ({ type: 'AbortProvisioning', id: 'a' }) },
  PeerReady: { kind: 'peer', command: (before) => ({ type: 'PeerReady', id: 'a', peer: 'tcp', ...epochOf(before) }) },
  'PeerReady, ready before': {
    kind: 'peer',
    whenRunning: [{ type: 'PeerReady', id: 'a', peer: 'tcp' }],
    command: (before) => ({ type: 'PeerReady', id: 'a', peer: 'tcp', ...epochOf(before) }),
  },
  'PeerReady, where none is expected': {
    command: (before) => ({ type: 'PeerReady', id: 'a', peer: 'tcp', ...epochOf(before) }),
  },
  ReportProgress: { command: (before) => ({ type: 'ReportProgress', id: 'a', percent: 5, ...epochOf(before) }) },
  RecordHeartbeat: { command: (before) => ({ type: 'RecordHeartbeat', id: 'a', ...epochOf(before) }) },
  RecordSigns: { command: (before) => ({ type: 'RecordSigns', signs: [[1, before.at]] }) },
  StartPhase: {
    kind: 'phased',
    finishesPhases: true,
    command: (before) => ({ type: 'StartPhase', id: 'a', phase: 'read', ...epochOf(before) }),
  },
  'StartPhase, undeclared': {
    kind: 'phased',
    finishesPhases: true,
    command: (before) => ({ type: 'StartPhase', id: 'a', phase: 'dance', ...epochOf(before) }),
  },
  'StartPhase, of the second': {
    kind: 'phased',
    finishesPhases: true,
    command: (before) => ({ type: 'StartPhase', id: 'a', phase: 'write', ...epochOf(before) }),
  },
  'StartPhase, of a failed one': {
    kind: 'phased',
    whenRunning: [
      { type: 'StartPhase', id: 'a', phase: 'read' },
      { type: 'FailPhase', id: 'a', phase: 'read', error },
    ],
    command: (before) => ({ type: 'StartPhase', id: 'a', phase: 'read', ...epochOf(before) }),
  },
  CompletePhase: {
    kind: 'phased',
    whenRunning: [{ type: 'StartPhase', id: 'a', phase: 'read' }],
    command: (before) => ({ type: 'CompletePhase', id: 'a', phase: 'read', result: 1, ...epochOf(before) }),
  },
  'CompletePhase, not started': {
    kind: 'phased',
    finishesPhases: true,
    command: (before) => ({ type: 'CompletePhase', id: 'a', phase: 'read', ...epochOf(before) }),
  },
  FailPhase: {
    kind: 'phased',
    whenRunning: [{ type: 'StartPhase', id: 'a', phase: 'read' }],
    command: (before) => ({ type: 'FailPhase', id: 'a', phase: 'read', error, ...epochOf(before) }),
  },
  'FailPhase, not started': {
    kind: 'phased',
    finishesPhases: true,
    command: (before) => ({ type: 'FailPhase', id: 'a', phase: 'read', error, ...epochOf(before) }),
  },
  CompleteOperation: { command: (before) => ({ type: 'CompleteOperation', id: 'a', ...epochOf(before) }) },
  'CompleteOperation, with phases unfinished': {
    kind: 'phased',
    command: (before) => ({ type: 'CompleteOperation', id: 'a', ...epochOf(before) }),
  },
  FailOperation: { command: (before) => ({ type: 'FailOperation', id: 'a', error, ...epochOf(before) }) },
  RetryAttempt: {
    kind: 'patient',
    command: (before) => ({ type: 'RetryAttempt', id: 'a', error, notBeforeAt: 0, ...epochOf(before) }),
  },
  'RetryAttempt, after the last attempt': {
    command: (before) => ({ type: 'RetryAttempt', id: 'a', error, notBeforeAt: 0, ...epochOf(before) }),
  },
  'RetryAttempt, with a cancel requested': {
    kind: 'patient',
    whenRunning: [{ type: 'RequestCancel', id: 'a' }],
    command: (before) => ({ type: 'RetryAttempt', id: 'a', error, notBeforeAt: 0, ...epochOf(before) }),
  },
  RequestCancel: { command: () => ({ type: 'RequestCancel', id: 'a' }) },
  'RequestCancel, again': {
    whenRunning: [{ type: 'RequestCancel', id: 'a' }],
    command: () => ({ type: 'RequestCancel', id: 'a' }),
  },
  CancelOperation: { command: () => ({ type: 'CancelOperation', id: 'a' }) },
  RequestRetire: { command: () => ({ type: 'RequestRetire', id: 'a' }) },
  MarkRetired: { command: (before) => ({ type: 'MarkRetired', id: 'a', ...epochOf(before) }) },
  'ReconcileOperation, fail': { command: reconcile({ type: 'fail' }) },
  'ReconcileOperation, retry': { kind: 'patient', command: reconcile({ type: 'retry', notBeforeAt: 0 }) },
  'ReconcileOperation, retry after the last': { command: reconcile({ type: 'retry', notBeforeAt: 0 }) },
  'ReconcileOperation, cancel': {
    whenRunning: [{ type: 'RequestCancel', id: 'a' }],
    command: reconcile({ type: 'cancel' }),
  },
  'ReconcileOperation, cancel unasked': { command: reconcile({ type: 'cancel' }) },
  'ReconcileOperation, complete': { command: reconcile({ type: 'complete', result: 1 }, 'completed') },
  'ReconcileOperation, complete unwitnessed': { command: reconcile({ type: 'complete' }) },
  'ReconcileOperation, outdated': {
    command: (before) => ({
      type: 'ReconcileOperation',
      id: 'a',
      evidence: { ...witness(before), lastRevision: 0 },
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    }),
  },
  RaiseAttention: { command: () => ({ type: 'RaiseAttention', id: 'a', rule: 'sign' }) },
  'RaiseAttention, raised': {
    whenProvisioning: [{ type: 'RaiseAttention', id: 'a', rule: 'sign' }],
    command: () => ({ type: 'RaiseAttention', id: 'a', rule: 'sign' }),
  },
  ClearAttention: { command: () => ({ type: 'ClearAttention', id: 'a', rule: 'sign' }) },
  'ClearAttention, raised': {
    whenProvisioning: [{ type: 'RaiseAttention', id: 'a', rule: 'sign' }],
    command: () => ({ type: 'ClearAttention', id: 'a', rule: 'sign' }),
  },
  'RecordContradiction, completed': {
    command: () => ({ type: 'RecordContradiction', id: 'a', claimed: 'completed' }),
  },
  'RecordContradiction, completed, old epoch': {
    kind: 'patient',
    whenProvisioning: [
      { type: 'ProvisioningSucceeded', id: 'a' },
      { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 },
    ],
    command: (before) => ({ type: 'RecordContradiction', id: 'a', epoch: oldEpoch(before), claimed: 'completed' }),
  },
  'RecordContradiction, completed, its epoch': {
    command: (before) => {
      const { leaseEpoch } = epochOf(before)
      const epoch = leaseEpoch === undefined ? {} : { epoch: leaseEpoch }
      return { type: 'RecordContradiction', id: 'a', ...epoch, claimed: 'completed' }
    },
  },
  'RecordContradiction, failed': {
    command: () => ({ type: 'RecordContradiction', id: 'a', claimed: 'failed' }),
  },
  'RecordContradiction, failed, old epoch': {
    kind: 'patient',
    whenProvisioning: [
      { type: 'ProvisioningSucceeded', id: 'a' },
      { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 },
    ],
    command: (before) => ({ type: 'RecordContradiction', id: 'a', epoch: oldEpoch(before), claimed: 'failed' }),
  },
  'RecordContradiction, on record': {
    whenTerminal: [{ type: 'RecordContradiction', id: 'a', claimed: 'completed' }],
    command: () => ({ type: 'RecordContradiction', id: 'a', claimed: 'completed' }),
  },
  RollbackRegistration: {
    command: () => ({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' }),
  },
  'RollbackRegistration, of another command': {
    command: () => ({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-9' }),
  },
}

type Standing = 'absent' | 'provisioning' | 'running' | 'retiring' | (typeof TERMINAL_STATUSES)[number]

/** The operation `a` of a line, brought where a column says; undefined where it can't be. */
function past(line: Line, standing: Standing, isTombstone: boolean): Specification {
  const { kind = 'plain', registration = {}, whenProvisioning = [], whenRunning = [], whenTerminal = [] } = line
  const empty = specification({ kinds: KINDS })
  if (standing === 'absent') return empty
  const registered = empty
    .given({ type: 'RegisterOperation', id: 'a', kind, ...registration })
    .given(...whenProvisioning)
  const running = () => {
    const claimed = registered.given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'worker' } })
    return whenRunning.reduce((before, command) => before.given({ ...command, ...epochOf(before) }), claimed)
  }
  const ended = (before: Specification, command: Command) => {
    const contradicted = before.given(command).given(...whenTerminal)
    return isTombstone ? contradicted.given({ type: 'CollectCompleted' }) : contradicted
  }
  switch (standing) {
    case 'provisioning':
      return registered
    case 'running':
      return running()
    case 'retiring':
      return running().given({ type: 'RequestRetire', id: 'a' })
    case 'completed': {
      const before = line.finishesPhases ? withPhasesFinished(running()) : running()
      return ended(before, { type: 'CompleteOperation', id: 'a', ...epochOf(before) })
    }
    case 'failed':
      return ended(running(), { type: 'FailOperation', id: 'a', error, asOperator: true })
    case 'aborted':
      return ended(registered, { type: 'AbortProvisioning', id: 'a' })
    case 'cancelled':
      return ended(running(), { type: 'CancelOperation', id: 'a' })
    case 'retired':
      return ended(running(), { type: 'MarkRetired', id: 'a', ...epochOf(running()) })
    case 'terminated':
      return ended(running(), { type: 'TerminateOwner', reason: 'closing down' })
    default:
      return standing satisfies never
  }
}

function withPhasesFinished(running: Specification): Specification {
  return ['read', 'write'].reduce(
    (before, phase) =>
      before.given(
        { type: 'StartPhase', id: 'a', phase, ...epochOf(before) },
        { type: 'CompletePhase', id: 'a', phase, ...epochOf(before) },
      ),
    running,
  )
}

/** Of the five ways to end beside completed: those that a line's past leads to. */
function endings(line: Line): readonly Standing[] {
  const others = TERMINAL_STATUSES.filter((status) => status !== 'completed')
  if (line.registration?.notBeforeAt !== undefined) return ['aborted']
  // What must have run first can't have been aborted.
  return line.whenRunning === undefined ? others : others.filter((status) => status !== 'aborted')
}

function standingsOf(column: string, line: Line): readonly { standing: Standing; isTombstone: boolean }[] {
  const isTombstone = column.endsWith('+')
  const name = column.replace('+', '')
  const standings = name === 'ended' ? endings(line) : [name as Standing]
  return standings.map((standing) => ({ standing, isTombstone }))
}

function outcomeOf(before: Specification, command: Command): string {
  const { decision, next } = before.when(command)
  if (decision.type === 'rejected') {
    const { code, idempotent } = decision.rejection
    return idempotent ? `~${code}` : code
  }
  if (decision.type !== 'accepted') return decision.type
  if (decision.events[0]?.type === 'RegistrationJoined') return 'joins'
  const id = command.type === 'RegisterOperation' ? (command.id ?? '') : 'a'
  const after = next.state.operations.get(id) ?? next.state.tombstones.get(id)
  return after?.status ?? 'absent'
}

const [columns = [], , ...rows] = TABLE.trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

const cells = rows.flatMap(([name = '', ...row]) =>
  row.flatMap((cell, i) => {
    const column = columns[i + 1] ?? ''
    const line = LINES[name]
    if (line === undefined) throw new Error(`the table has a line ${name} that nobody sends`)
    if (cell === '-') return []
    return standingsOf(column, line).map((standing) => ({ name, line, cell, ...standing }))
  }),
)

/** Section 5 has these. */
const REGISTRY_COMMANDS = [
  'OpenRegistry',
  'ChangeLimits',
  'BeginWaitAll',
  'BeginWaitAny',
  'CancelWait',
  'ExpireWait',
  'TerminateOwner',
  'RetireOwner',
  'CollectCompleted',
]

describe('the command x status table', () => {
  test('has every line once, and every command of an operation has lines', () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(LINES))
    expect(rows.every((row) => row.length === columns.length)).toBe(true)
    const told = new Set(rows.map(([name = '']) => name.split(',')[0]))
    expect([...told]).toEqual(Object.keys(COMMAND_SCHEMAS).filter((type) => !REGISTRY_COMMANDS.includes(type)))
    expect(cells.length).toBe(801)
  })

  test.each(
    cells.map((cell) => [cell.name, cell.isTombstone ? `${cell.standing}, a tombstone` : cell.standing, cell] as const),
  )('A3: %s of what is %s is answered as the law says', (_name, _standing, { line, standing, isTombstone, cell }) => {
    const before = past(line, standing, isTombstone)
    expect(before.state.operations.get('a')?.status ?? before.state.tombstones.get('a')?.status ?? 'absent').toBe(
      standing,
    )
    expect(before.state.tombstones.has('a')).toBe(isTombstone)
    expect(outcomeOf(before, line.command(before))).toBe(cell === 'same' ? standing : cell)
  })
})
