import { describe, expect, test } from 'vitest'
import { COMMAND_SCHEMAS, type Command, type CommandType } from '../../src/authority/commands.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

/**
 * The order of guards is law (section 4): remembered command id, retired owner, not found, lease, the command's own guards in
 * the order given, status. Each line below breaks two neighbouring guards at once and names the one that must answer.
 */
const KINDS: KindDefinitions = {
  patient: { policy: { retry: { maxAttempts: 9 } } },
  peer: { expectsPeer: true },
  phased: { phases: ['read', 'write'] },
}
const error = { message: 'broken' }
const evidence = { rule: 'witness', attempt: 1, lastRevision: 1, judgedAt: 0, graceMs: 0, witness: 'unknown' } as const

/** A well-formed command of every type, about operation `x` where it is about one. */
const EXAMPLES: { readonly [T in CommandType]: Extract<Command, { type: T }> } = {
  RegisterOperation: { type: 'RegisterOperation', id: 'x', kind: 'plain' },
  ProvisioningSucceeded: { type: 'ProvisioningSucceeded', id: 'x' },
  ProvisioningFailed: { type: 'ProvisioningFailed', id: 'x', error },
  AbortProvisioning: { type: 'AbortProvisioning', id: 'x' },
  PeerReady: { type: 'PeerReady', id: 'x', peer: 'tcp' },
  ReportProgress: { type: 'ReportProgress', id: 'x' },
  RecordHeartbeat: { type: 'RecordHeartbeat', id: 'x' },
  RecordSigns: { type: 'RecordSigns', signs: [[1, 0]] },
  StartPhase: { type: 'StartPhase', id: 'x', phase: 'read' },
  CompletePhase: { type: 'CompletePhase', id: 'x', phase: 'read' },
  FailPhase: { type: 'FailPhase', id: 'x', phase: 'read', error },
  CompleteOperation: { type: 'CompleteOperation', id: 'x' },
  FailOperation: { type: 'FailOperation', id: 'x', error },
  RetryAttempt: { type: 'RetryAttempt', id: 'x', error, notBeforeAt: 0 },
  RequestCancel: { type: 'RequestCancel', id: 'x' },
  CancelOperation: { type: 'CancelOperation', id: 'x' },
  RequestRetire: { type: 'RequestRetire', id: 'x' },
  MarkRetired: { type: 'MarkRetired', id: 'x' },
  ReconcileOperation: {
    type: 'ReconcileOperation',
    id: 'x',
    evidence,
    reasonCode: 'run.stalled',
    disposition: { type: 'fail' },
  },
  RaiseAttention: { type: 'RaiseAttention', id: 'x', rule: 'sign' },
  ClearAttention: { type: 'ClearAttention', id: 'x', rule: 'sign' },
  RecordContradiction: { type: 'RecordContradiction', id: 'x', claimed: 'completed' },
  RollbackRegistration: { type: 'RollbackRegistration', id: 'x', registrationCommandId: 'command-1' },
  OpenRegistry: { type: 'OpenRegistry' },
  ChangeLimits: { type: 'ChangeLimits', limits: { maxConcurrent: 7 } },
  BeginWaitAll: { type: 'BeginWaitAll', ids: ['x'] },
  BeginWaitAny: { type: 'BeginWaitAny', ids: ['x'] },
  CancelWait: { type: 'CancelWait', waitId: 'x' },
  ExpireWait: { type: 'ExpireWait', waitId: 'x' },
  TerminateOwner: { type: 'TerminateOwner', reason: 'over' },
  RetireOwner: { type: 'RetireOwner', reason: 'over' },
  CollectCompleted: { type: 'CollectCompleted' },
}
const ALL = Object.keys(COMMAND_SCHEMAS) as CommandType[]
/** What a retired owner still does, and RetireOwner, which is so already. */
const AFTER_RETIREMENT: readonly CommandType[] = ['TerminateOwner', 'RetireOwner', 'CollectCompleted', 'CancelWait']

const empty = specification({ kinds: KINDS })
const retired = empty.given({ type: 'RetireOwner', reason: 'over' })
const registered = (kind: string) => empty.given({ type: 'RegisterOperation', id: 'x', kind, key: 'k' })
const claimed = (kind = 'plain') =>
  registered(kind).given({ type: 'ProvisioningSucceeded', id: 'x', claimant: { id: 'worker' } })
const codeOf = (before: Specification, command: Command, commandId?: string) => {
  const { decision } = before.when(command, commandId === undefined ? {} : { commandId })
  return decision.type === 'rejected' ? decision.rejection.code : decision.type
}

describe('guards answer in the order of the law', () => {
  test.each(ALL)('A3: a command id that is known answers before the retired owner: %s', (type) => {
    const used = empty
      .when({ type: 'ChangeLimits', limits: { maxConcurrent: 9 } }, { commandId: 'used' })
      .next.given({ type: 'RetireOwner', reason: 'over' })
    expect(codeOf(used, EXAMPLES[type], 'used')).toBe('command_id_reused')
  })

  test.each(ALL.filter((type) => !AFTER_RETIREMENT.includes(type)))(
    'A3: a retired owner answers before what is not found: %s',
    (type) => {
      expect(codeOf(retired, EXAMPLES[type])).toBe('owner_retired')
    },
  )

  test.each(ALL.filter((type) => 'leaseEpoch' in COMMAND_SCHEMAS[type].shape))(
    'A3: what is not found answers before a lease: %s',
    (type) => {
      expect(codeOf(empty, { ...EXAMPLES[type], leaseEpoch: 99 } as Command)).toBe('not_found')
    },
  )

  test.each(ALL.filter((type) => 'leaseEpoch' in COMMAND_SCHEMAS[type].shape))(
    'A3: a stale lease answers before own guards and status: %s',
    (type) => {
      const stale = { ...EXAMPLES[type], leaseEpoch: 99 } as Command
      const ended = claimed().given({ type: 'CancelOperation', id: 'x' })
      expect(
        [registered('plain'), claimed(), ended, ended.given({ type: 'CollectCompleted' })].map((at) =>
          codeOf(at, stale),
        ),
      ).toEqual(['stale_lease', 'stale_lease', 'stale_lease', 'stale_lease'])
    },
  )

  test.each([
    'ReportProgress',
    'RecordHeartbeat',
    'StartPhase',
    'CompletePhase',
    'FailPhase',
    'PeerReady',
    'CompleteOperation',
    'FailOperation',
    'RetryAttempt',
    'MarkRetired',
  ] as const)('A3: a missing lease answers before own guards and status: %s', (type) => {
    const ended = claimed('phased').given({ type: 'CancelOperation', id: 'x' })
    const places = [claimed('phased'), ended, ended.given({ type: 'CollectCompleted' })]
    expect(places.map((at) => codeOf(at, EXAMPLES[type]))).toEqual([
      'lease_required',
      'lease_required',
      'lease_required',
    ])
  })

  test.each(ALL.filter((type) => 'leaseEpoch' in COMMAND_SCHEMAS[type].shape))(
    'A3: a lease that nobody holds asks for nothing: %s',
    (type) => {
      const anonymous = registered('plain').given({
        type: 'OperationStarted',
        facts: { id: 'x', number: 1, attempt: 1 },
        content: {},
      })
      expect(['lease_required', 'stale_lease']).not.toContain(codeOf(anonymous, EXAMPLES[type]))
    },
  )
})

describe('a lease epoch', () => {
  test.each(ALL.filter((type) => 'leaseEpoch' in COMMAND_SCHEMAS[type].shape))(
    'G2: that is not the lease is told the lease that is, where it stands and how it ended: %s',
    (type) => {
      const refusal = (before: Specification) => {
        const { decision } = before.when({ ...EXAMPLES[type], leaseEpoch: 99 } as Command)
        return decision.type === 'rejected' ? decision.rejection : decision
      }
      const running = claimed()
      const ended = running.given({ type: 'CancelOperation', id: 'x', reason: 'enough' })
      const told = { operationId: 'x', number: 1, command: type, carriedEpoch: 99, leaseEpoch: 2 }
      expect(refusal(running)).toMatchObject({ code: 'stale_lease', facts: { ...told, currentStatus: 'running' } })
      expect(refusal(ended)).toMatchObject({
        code: 'stale_lease',
        facts: { ...told, currentStatus: 'cancelled', outcome: { status: 'cancelled', reason: 'enough' } },
      })
    },
  )
})

const withCancel = registered('patient')
  .given({ type: 'ProvisioningSucceeded', id: 'x', claimant: { id: 'worker' } })
  .given({ type: 'RequestCancel', id: 'x' })
const full = (limits: { maxConcurrent?: number; activeCeiling?: number }) =>
  registered('plain').given({ type: 'ChangeLimits', limits })
const waited = (limits: { maxActiveWaits?: number } = {}) =>
  registered('plain')
    .given({ type: 'ChangeLimits', limits })
    .given({ type: 'BeginWaitAll', waitId: 'w', ids: ['x'] })
const peerReady = claimed('peer').given({ type: 'PeerReady', id: 'x', leaseEpoch: 2, peer: 'tcp' })

describe('own guards answer in the order of the law', () => {
  test.each<[string, Specification, Command, string]>([
    [
      'RegisterOperation: a taken id before a key that would join',
      registered('plain'),
      { type: 'RegisterOperation', id: 'x', kind: 'plain', key: 'k' },
      'already_registered',
    ],
    [
      'RegisterOperation: a key that joins before a full registry',
      full({ maxConcurrent: 1 }),
      { type: 'RegisterOperation', id: 'y', kind: 'plain', key: 'k' },
      'accepted',
    ],
    [
      'RegisterOperation: its own limit before the registry of unlimited room',
      registered('plain'),
      { type: 'RegisterOperation', id: 'y', kind: 'plain', maxConcurrent: 1 },
      'max_concurrent_exceeded',
    ],
    [
      'RegisterOperation: the ceiling, whatever its own limit',
      full({ activeCeiling: 1 }),
      { type: 'RegisterOperation', id: 'y', kind: 'plain', maxConcurrent: 9 },
      'max_concurrent_exceeded',
    ],
    [
      'RegisterOperation: a full registry before a claim that is not due',
      full({ maxConcurrent: 1 }),
      { type: 'RegisterOperation', id: 'y', kind: 'plain', notBeforeAt: 9_000_000, claim: {} },
      'max_concurrent_exceeded',
    ],
    [
      'RegisterOperation: a claim that is not due before a result of no phase',
      empty,
      { type: 'RegisterOperation', kind: 'phased', notBeforeAt: 9_000_000, claim: {}, phaseResults: { dance: 1 } },
      'not_due',
    ],
    [
      'ProvisioningSucceeded: due time before status',
      registered('patient').given({
        type: 'AttemptLost',
        facts: { id: 'x', number: 1, attempt: 1, notBeforeAt: 9_000_000 },
        content: {},
      }),
      { type: 'ProvisioningSucceeded', id: 'x' },
      'not_due',
    ],
    [
      'ProvisioningSucceeded: another claimant before status',
      claimed(),
      { type: 'ProvisioningSucceeded', id: 'x', claimant: { id: 'rival' } },
      'already_claimed',
    ],
    [
      'PeerReady: no peer expected before status',
      registered('plain'),
      { type: 'PeerReady', id: 'x', peer: 'tcp' },
      'peer_not_expected',
    ],
    [
      'PeerReady: ready before, before a terminal status',
      peerReady.given({ type: 'CompleteOperation', id: 'x', leaseEpoch: 2 }),
      { type: 'PeerReady', id: 'x', leaseEpoch: 2, peer: 'tcp' },
      'already_peer_ready',
    ],
    [
      'StartPhase: unknown before out of order',
      claimed('phased'),
      { type: 'StartPhase', id: 'x', leaseEpoch: 2, phase: 'dance' },
      'unknown_phase',
    ],
    [
      'StartPhase: out of order before status',
      registered('phased'),
      { type: 'StartPhase', id: 'x', phase: 'write' },
      'phase_out_of_order',
    ],
    [
      'CompleteOperation: phases unfinished before status',
      registered('phased'),
      { type: 'CompleteOperation', id: 'x' },
      'phases_unfinished',
    ],
    [
      'RetryAttempt: a cancel before exhausted attempts',
      claimed().given({ type: 'RequestCancel', id: 'x' }),
      { type: 'RetryAttempt', id: 'x', leaseEpoch: 2, error, notBeforeAt: 0 },
      'cancel_requested',
    ],
    [
      'RetryAttempt: exhausted attempts before status',
      registered('plain'),
      { type: 'RetryAttempt', id: 'x', error, notBeforeAt: 0 },
      'attempts_exhausted',
    ],
    [
      'RetryAttempt: a cancel before status',
      withCancel.given({ type: 'RequestRetire', id: 'x' }),
      { type: 'RetryAttempt', id: 'x', leaseEpoch: 2, error, notBeforeAt: 0 },
      'cancel_requested',
    ],
    [
      'ReconcileOperation: outdated evidence before a retry that is not allowed',
      claimed(),
      { ...EXAMPLES.ReconcileOperation, disposition: { type: 'retry', notBeforeAt: 0 } },
      'evidence_outdated',
    ],
    [
      'ReconcileOperation: outdated evidence before a disposition that is not allowed',
      claimed(),
      { ...EXAMPLES.ReconcileOperation, disposition: { type: 'cancel' } },
      'evidence_outdated',
    ],
    [
      'RollbackRegistration: relied upon before status',
      claimed(),
      { type: 'RollbackRegistration', id: 'x', registrationCommandId: 'command-1' },
      'rollback_refused',
    ],
    [
      'BeginWaitAll: a known wait id before a full barrier',
      waited({ maxActiveWaits: 1 }),
      { type: 'BeginWaitAll', waitId: 'w', ids: ['y'] },
      'wait_id_conflict',
    ],
    [
      'BeginWaitAll: a full barrier before a repeated operation',
      waited({ maxActiveWaits: 1 }),
      { type: 'BeginWaitAll', waitId: 'v', ids: ['x', 'x'] },
      'wait_already_active',
    ],
    [
      'BeginWaitAny: a repeated operation before one that is not found',
      waited(),
      { type: 'BeginWaitAny', waitId: 'v', ids: ['y', 'x', 'x'] },
      'duplicate_wait_operation',
    ],
  ])('A3: %s', (_name, before, command, code) => {
    expect(codeOf(before, command)).toBe(code)
  })

  test('A3: waits past their deadline make room before the barrier counts', () => {
    waited({ maxActiveWaits: 1 })
      .after(3_600_000)
      .when({ type: 'BeginWaitAll', waitId: 'v', ids: ['x'] })
      .thenEvents(
        { type: 'WaitExpired', facts: { waitId: 'w' }, content: {} },
        {
          type: 'WaitBegan',
          facts: { waitId: 'v', mode: 'all', numbers: [1], deadlineAt: 1_000_000 + 2 * 3_600_000 },
          content: {},
        },
      )
  })
})
