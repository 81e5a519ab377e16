import { describe, expect, test } from 'vitest'
import { COMMAND_SCHEMAS, type Command, type CommandType } from '../../src/authority/commands.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { plainOf } from '../../src/authority/registry-snapshot.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const KINDS: KindDefinitions = {
  patient: { policy: { retry: { maxAttempts: 9 } } },
  peer: { expectsPeer: true },
  phased: { phases: ['read'] },
}
const error = { message: 'broken' }

const empty = specification({ kinds: KINDS })
const registered = (kind = 'plain') => empty.given({ type: 'RegisterOperation', id: 'a', kind })
const running = (kind?: string) =>
  registered(kind).given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } })
const phaseStarted = running('phased').given({ type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' })
const waiting = registered().given({ type: 'BeginWaitAll', waitId: 'w', ids: ['a'], deadlineAt: 1_000_000 })

/** Where each command is accepted, the command, and the same wish in other words: with another body under the same id. */
const CASES: { readonly [T in CommandType]: readonly [Specification, Extract<Command, { type: T }>, Command] } = {
  RegisterOperation: [
    empty,
    { type: 'RegisterOperation', id: 'a', kind: 'plain', labels: { team: 'x' } },
    { type: 'RegisterOperation', id: 'a', kind: 'plain', labels: { team: 'y' } },
  ],
  ProvisioningSucceeded: [
    registered(),
    { type: 'ProvisioningSucceeded', id: 'a' },
    { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } },
  ],
  ProvisioningFailed: [
    registered(),
    { type: 'ProvisioningFailed', id: 'a', error },
    { type: 'ProvisioningFailed', id: 'a', error: { message: 'other' } },
  ],
  AbortProvisioning: [
    registered(),
    { type: 'AbortProvisioning', id: 'a' },
    { type: 'AbortProvisioning', id: 'a', reason: 'other' },
  ],
  PeerReady: [
    running('peer'),
    { type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 'tcp' },
    { type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 'udp' },
  ],
  ReportProgress: [
    running(),
    { type: 'ReportProgress', id: 'a', leaseEpoch: 2, processed: 1 },
    { type: 'ReportProgress', id: 'a', leaseEpoch: 2, processed: 2 },
  ],
  RecordHeartbeat: [
    running(),
    { type: 'RecordHeartbeat', id: 'a', leaseEpoch: 2 },
    { type: 'RecordHeartbeat', id: 'a', leaseEpoch: 3 },
  ],
  RecordSigns: [
    running(),
    { type: 'RecordSigns', signs: [[1, 1_000_000]] },
    { type: 'RecordSigns', signs: [[1, 1_000_001]] },
  ],
  StartPhase: [
    running(),
    { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'read' },
    { type: 'StartPhase', id: 'a', leaseEpoch: 2, phase: 'write' },
  ],
  CompletePhase: [
    phaseStarted,
    { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'read', result: 1 },
    { type: 'CompletePhase', id: 'a', leaseEpoch: 2, phase: 'read', result: 2 },
  ],
  FailPhase: [
    phaseStarted,
    { type: 'FailPhase', id: 'a', leaseEpoch: 2, phase: 'read', error },
    { type: 'FailPhase', id: 'a', leaseEpoch: 2, phase: 'read', error: { message: 'other' } },
  ],
  CompleteOperation: [
    running(),
    { type: 'CompleteOperation', id: 'a', leaseEpoch: 2, result: 1 },
    { type: 'CompleteOperation', id: 'a', leaseEpoch: 2, result: 2 },
  ],
  FailOperation: [
    running(),
    { type: 'FailOperation', id: 'a', leaseEpoch: 2, error },
    { type: 'CompleteOperation', id: 'a', leaseEpoch: 2 },
  ],
  RetryAttempt: [
    running('patient'),
    { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 },
    { type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 1 },
  ],
  RequestCancel: [running(), { type: 'RequestCancel', id: 'a' }, { type: 'RequestCancel', id: 'a', deadlineAt: 0 }],
  CancelOperation: [running(), { type: 'CancelOperation', id: 'a' }, { type: 'RequestCancel', id: 'a' }],
  RequestRetire: [running(), { type: 'RequestRetire', id: 'a' }, { type: 'RequestRetire', id: 'a', leaseEpoch: 2 }],
  MarkRetired: [
    running(),
    { type: 'MarkRetired', id: 'a', leaseEpoch: 2 },
    { type: 'MarkRetired', id: 'a', leaseEpoch: 2, reason: 'done' },
  ],
  ReconcileOperation: [
    registered(),
    {
      type: 'ReconcileOperation',
      id: 'a',
      evidence: { rule: 'witness', attempt: 1, lastRevision: 1, judgedAt: 0, graceMs: 0, witness: 'absent' },
      reasonCode: 'run.never_enqueued',
      disposition: { type: 'fail' },
    },
    { type: 'CancelOperation', id: 'a' },
  ],
  RaiseAttention: [
    running(),
    { type: 'RaiseAttention', id: 'a', rule: 'sign' },
    { type: 'RaiseAttention', id: 'a', rule: 'progress' },
  ],
  ClearAttention: [
    running().given({ type: 'RaiseAttention', id: 'a', rule: 'sign' }),
    { type: 'ClearAttention', id: 'a', rule: 'sign' },
    { type: 'ClearAttention', id: 'a', rule: 'progress' },
  ],
  RecordContradiction: [
    running().given({ type: 'CancelOperation', id: 'a' }),
    { type: 'RecordContradiction', id: 'a', epoch: 2, claimed: 'completed' },
    { type: 'RecordContradiction', id: 'a', claimed: 'completed' },
  ],
  RollbackRegistration: [
    registered(),
    { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' },
    { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-2' },
  ],
  OpenRegistry: [
    specification({ open: false }),
    { type: 'OpenRegistry', limits: { maxConcurrent: 1 } },
    { type: 'OpenRegistry', limits: { maxConcurrent: 2 } },
  ],
  ChangeLimits: [
    empty,
    { type: 'ChangeLimits', limits: { maxConcurrent: 1 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: 2 } },
  ],
  BeginWaitAll: [registered(), { type: 'BeginWaitAll', ids: ['a'] }, { type: 'BeginWaitAny', ids: ['a'] }],
  BeginWaitAny: [registered(), { type: 'BeginWaitAny', ids: ['a'] }, { type: 'BeginWaitAny', ids: ['a'], runId: 'r' }],
  CancelWait: [waiting, { type: 'CancelWait', waitId: 'w' }, { type: 'CancelWait', waitId: 'v' }],
  ExpireWait: [waiting, { type: 'ExpireWait', waitId: 'w' }, { type: 'ExpireWait', waitId: 'v' }],
  TerminateOwner: [
    running(),
    { type: 'TerminateOwner', reason: 'over' },
    { type: 'TerminateOwner', reason: 'not quite over' },
  ],
  RetireOwner: [running(), { type: 'RetireOwner', reason: 'over' }, { type: 'RetireOwner', reason: 'not quite over' }],
  CollectCompleted: [
    running().given({ type: 'CancelOperation', id: 'a' }),
    { type: 'CollectCompleted' },
    { type: 'CancelOperation', id: 'a' },
  ],
}
const TYPES = Object.keys(COMMAND_SCHEMAS) as CommandType[]

describe('asked again, nothing happens', () => {
  test.each(TYPES)('A17: %s under the same command id has one effect and one answer', (type) => {
    const [before, command] = CASES[type]
    const once = before.when(command, { commandId: 'once' })
    expect(once.decision.type).toBe('accepted')
    const again = once
      .when(command, { commandId: 'once' })
      .thenRemembered(before.state.revision + 1)
      .thenEffects()
    expect(plainOf(again.next.state)).toEqual(plainOf(once.next.state))
    // Much later, after other commands, and once nothing of it could be accepted any longer.
    const later = once.next
      .after(60_000)
      .given({ type: 'TerminateOwner', reason: 'end' }, { type: 'RetireOwner', reason: 'end' })
    if (type !== 'RollbackRegistration')
      later.when(command, { commandId: 'once' }).thenRemembered(before.state.revision + 1)
  })

  test.each(TYPES)('A17: another body under the command id of %s is refused', (type) => {
    const [before, command, other] = CASES[type]
    before
      .when(command, { commandId: 'once' })
      .when(other, { commandId: 'once' })
      .thenRejects('command_id_reused', { commandId: 'once', command: other.type })
  })

  test('A17: a refusal is decided anew under the same command id', () => {
    const full = specification({ limits: { maxConcurrent: 1 } }).given({
      type: 'RegisterOperation',
      id: 'a',
      kind: 'k',
    })
    const refused = full.when({ type: 'RegisterOperation', id: 'b', kind: 'k' }, { commandId: 'once' })
    refused.thenRejects('max_concurrent_exceeded', {
      operationId: 'b',
      limit: 1,
      active: 1,
      command: 'RegisterOperation',
    })
    const again = refused.next
      .given({ type: 'AbortProvisioning', id: 'a' })
      .when({ type: 'RegisterOperation', id: 'b', kind: 'k' }, { commandId: 'once' })
    expect(again.decision.type).toBe('accepted')
  })

  test('A17: the registration that was rolled back says so under its command id', () => {
    registered()
      .given({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' })
      .when({ type: 'RegisterOperation', id: 'a', kind: 'plain' }, { commandId: 'command-1' })
      .thenRejects('registration_rolled_back', { commandId: 'command-1', command: 'RegisterOperation' })
      .when({ type: 'RegisterOperation', id: 'a', kind: 'other' }, { commandId: 'command-1' })
      .thenRejects('command_id_reused')
  })

  test.each<[string, Specification, Command]>([
    ['OpenRegistry with the same limits', empty, { type: 'OpenRegistry', limits: { maxConcurrent: null } }],
    [
      'OpenRegistry without a wish',
      empty.given({ type: 'ChangeLimits', limits: { maxConcurrent: 3 } }),
      { type: 'OpenRegistry' },
    ],
    [
      'ChangeLimits to what they are',
      empty.given({ type: 'ChangeLimits', limits: { commandMemory: { ms: 1, min: 2, max: 3 } } }),
      { type: 'ChangeLimits', limits: { commandMemory: { max: 3, min: 2, ms: 1 } } },
    ],
    [
      'TerminateOwner',
      running().given({ type: 'TerminateOwner', reason: 'x' }),
      { type: 'TerminateOwner', reason: 'y' },
    ],
    ['RetireOwner', running().given({ type: 'RetireOwner', reason: 'x' }), { type: 'RetireOwner', reason: 'y' }],
    ['CollectCompleted', running(), { type: 'CollectCompleted' }],
    ['BeginWaitAll under a known wait id', waiting, { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] }],
    [
      'BeginWaitAll under the id of a wait that ended',
      waiting.given({ type: 'CancelWait', waitId: 'w' }),
      { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] },
    ],
    [
      'RecordSigns that were heard before',
      running().given({ type: 'RecordSigns', signs: [[1, 1_000_000]] }),
      { type: 'RecordSigns', signs: [[1, 1_000_000]] },
    ],
  ])('A17: a new command with the same wish changes nothing: %s', (_name, before, command) => {
    before.when(command).thenUnchanged().thenEffects()
  })

  test.each<[string, Specification, Command, string]>([
    [
      'ProvisioningSucceeded',
      running(),
      { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } },
      'already_claimed',
    ],
    [
      'RequestCancel',
      running().given({ type: 'RequestCancel', id: 'a' }),
      { type: 'RequestCancel', id: 'a' },
      'already_requested',
    ],
    [
      'RequestRetire',
      running().given({ type: 'RequestRetire', id: 'a' }),
      { type: 'RequestRetire', id: 'a' },
      'already_requested',
    ],
    [
      'RaiseAttention',
      running().given({ type: 'RaiseAttention', id: 'a', rule: 'sign' }),
      { type: 'RaiseAttention', id: 'a', rule: 'sign' },
      'already_requested',
    ],
    [
      'RaiseAttention, cleared since',
      running().given(
        { type: 'RaiseAttention', id: 'a', rule: 'sign' },
        { type: 'ClearAttention', id: 'a', rule: 'sign' },
      ),
      { type: 'RaiseAttention', id: 'a', rule: 'sign' },
      'already_requested',
    ],
    [
      'ClearAttention',
      running().given(
        { type: 'RaiseAttention', id: 'a', rule: 'sign' },
        { type: 'ClearAttention', id: 'a', rule: 'sign' },
      ),
      { type: 'ClearAttention', id: 'a', rule: 'sign' },
      'already_requested',
    ],
    [
      'RecordContradiction of one epoch',
      running().given(
        { type: 'CancelOperation', id: 'a' },
        { type: 'RecordContradiction', id: 'a', epoch: 2, claimed: 'completed' },
      ),
      { type: 'RecordContradiction', id: 'a', epoch: 2, claimed: 'completed', result: 5 },
      'already_requested',
    ],
    [
      'MarkRetired',
      running().given({ type: 'MarkRetired', id: 'a', leaseEpoch: 2 }),
      { type: 'MarkRetired', id: 'a', leaseEpoch: 2 },
      'already_terminal',
    ],
    [
      'AbortProvisioning',
      registered().given({ type: 'AbortProvisioning', id: 'a' }),
      { type: 'AbortProvisioning', id: 'a' },
      'already_terminal',
    ],
  ])('A17: a new command with the same wish is refused as idempotent: %s', (_name, before, command, code) => {
    before.when(command).thenRejectsIdempotently(code as 'already_requested')
  })

  test('C1: a claim asked again by the same claimant carries the same epoch', () => {
    running()
      .when({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } })
      .thenRejectsIdempotently('already_claimed', {
        operationId: 'a',
        number: 1,
        currentStatus: 'running',
        command: 'ProvisioningSucceeded',
        claimant: { id: 'w' },
        leaseEpoch: 2,
        cancelRequested: false,
        nextHeartbeatBefore: 1_060_000,
      })
  })

  test('C5: a cancel asked again keeps the first deadline', () => {
    const asked = running().when({ type: 'RequestCancel', id: 'a', reason: 'first' })
    asked.thenEvents({
      type: 'CancelRequested',
      facts: { id: 'a', number: 1, deadlineAt: 1_030_000 },
      content: { reason: 'first' },
    })
    asked.next
      .after(5)
      .when({ type: 'RequestCancel', id: 'a', deadlineAt: 9 })
      .thenRejectsIdempotently('already_requested', {
        operationId: 'a',
        number: 1,
        currentStatus: 'running',
        command: 'RequestCancel',
        deadlineAt: 1_030_000,
      })
  })
})

describe('the memory of commands', () => {
  const memory = (ms: number, min: number, max: number) =>
    specification({ limits: { commandMemory: { ms, min, max } } })
  const fill = (start: Specification, count: number) =>
    Array.from({ length: count }).reduce<Specification>(
      (before, _, i) =>
        before.when({ type: 'ChangeLimits', limits: { maxConcurrent: i } }, { commandId: `fill-${i}` }).next,
      start,
    )
  const known = ({ state }: Specification) => [...state.commandOrder].map(({ commandId }) => commandId)

  test('A17: keeps at most the newest `max`, however young they are', () => {
    expect(known(fill(memory(60_000, 1, 3), 5))).toEqual(['fill-2', 'fill-3', 'fill-4'])
  })

  test('A17: keeps at least the newest `min`, however old they are', () => {
    const old = fill(memory(1_000, 2, 9), 4)
    expect(known(old)).toEqual(['opening', 'fill-0', 'fill-1', 'fill-2', 'fill-3'])
    expect(known(old.after(60_000).given({ type: 'RegisterOperation', id: 'a', kind: 'k' }))).toEqual([
      'fill-3',
      'command-1',
    ])
  })

  test('A17: keeps what is between them for `ms` by stored time, the end included', () => {
    const old = fill(memory(1_000, 1, 9), 2)
    const next = { type: 'RegisterOperation', id: 'a', kind: 'k' } as const
    expect(known(old.after(1_000).given(next))).toEqual(['opening', 'fill-0', 'fill-1', 'command-1'])
    expect(known(old.after(1_001).given(next))).toEqual(['command-1'])
  })

  test('A17: forgets nothing because a clock stepped back', () => {
    const old = fill(memory(1_000, 1, 9), 2)
    const next = { type: 'RegisterOperation', id: 'a', kind: 'k' } as const
    expect(known(old.after(-900_000).given(next))).toEqual(['opening', 'fill-0', 'fill-1', 'command-1'])
  })

  test('A17: of no size remembers nothing, and the registry works all the same', () => {
    const forgetful = fill(memory(0, 0, 0), 3).given({ type: 'RegisterOperation', id: 'a', kind: 'k' })
    expect(known(forgetful)).toEqual([])
    const rolledBack = forgetful.when({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' })
    expect(rolledBack.decision.type).toBe('accepted')
    expect(rolledBack.next.state.operations.size).toBe(0)
  })

  test('A17: a command of several events is remembered by its first, with their number', () => {
    const { next } = specification({ open: false }).when(
      { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} },
      { commandId: 'once' },
    )
    const remembered = next.state.commands.get('once')
    expect({ ...remembered, digest: '' }).toEqual({
      commandId: 'once',
      digest: '',
      type: 'RegisterOperation',
      revision: 0,
      count: 3,
      at: 1_000_000,
    })
  })
})
