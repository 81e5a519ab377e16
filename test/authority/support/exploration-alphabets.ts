import type { Command, CommandOf } from '../../../src/authority/commands.ts'
import type { RegistryState } from '../../../src/authority/registry.ts'
import type { Alphabet, Sent } from './exploration.ts'

/**
 * The commands that are explored, those together that act on each other: one alphabet of everything would not close in a
 * minute. Where one leaves something out, nothing in it depends on that: waits do not know phases, phases no tombstones.
 */
const IDS = ['a', 'b'] as const
const error = { message: '' }
const FORGET = { commandMemory: { ms: 0, min: 0, max: 0 } }
const SMALL = { ...FORGET, maxCompleted: 1, tombstones: 1, feedRetention: 1, endedWaits: 1 }

const perId = (commands: (id: string) => readonly Sent[]): readonly Sent[] => IDS.flatMap((id) => commands(id))

function leaseOf(state: RegistryState, id: string): { readonly leaseEpoch?: number } {
  const leaseEpoch = state.operations.get(id)?.lease?.epoch ?? state.tombstones.get(id)?.leaseEpoch
  return leaseEpoch === undefined ? {} : { leaseEpoch }
}

const targetOf = (state: RegistryState, id: string) => state.operations.get(id) ?? state.tombstones.get(id)

const rollback = (state: RegistryState, id: string): Command => {
  const registrationCommandId = state.operations.get(id)?.registrationCommandId ?? '-'
  return { type: 'RollbackRegistration', id, registrationCommandId }
}

const NEVER = 1_000_000_000

const reconcile = (
  state: RegistryState,
  id: string,
  disposition: CommandOf<'ReconcileOperation'>['disposition'],
  witness: 'completed' | 'unknown' = 'unknown',
): Command => {
  const operation = state.operations.get(id)
  const { attempt = 1, lastRevision = 0 } = operation ?? {}
  const evidence = { rule: 'witness', attempt, lastRevision, judgedAt: 0, graceMs: 0, witness } as const
  return { type: 'ReconcileOperation', id, evidence, reasonCode: 'run.stalled', disposition }
}

/** Of all, in the order of their numbers. */
function signsOf(state: RegistryState): CommandOf<'RecordSigns'>['signs'] {
  const numbers = IDS.map((id) => state.operations.get(id)?.number ?? 99)
  return numbers.sort((a, b) => a - b).map((number) => [number, 2_000_000])
}

/** Lives, their ends and what is left of them: registrations, claims, leases, attempts, cancels, retirement, reconciliation. */
export const LIFECYCLE: Alphabet = {
  kinds: { k: { policy: { retry: { maxAttempts: 2 } } } },
  limits: SMALL,
  idsAreAlike: true,
  commands: (state) => [
    { type: 'TerminateOwner', reason: '' },
    { type: 'RetireOwner', reason: '' },
    { type: 'CollectCompleted' },
    ...perId((id) => {
      const lease = leaseOf(state, id)
      return [
        { type: 'RegisterOperation', id, kind: 'k' },
        { type: 'RegisterOperation', id, kind: 'k', claim: { claimant: { id: 'w' } } },
        { type: 'RegisterOperation', id, kind: 'k', maxConcurrent: 1 },
        { type: 'ProvisioningSucceeded', id },
        { type: 'ProvisioningSucceeded', id, claimant: { id: 'w' } },
        { type: 'ProvisioningFailed', id, error },
        { type: 'AbortProvisioning', id },
        { type: 'CompleteOperation', id, ...lease },
        { type: 'CompleteOperation', id },
        { type: 'CompleteOperation', id, leaseEpoch: NEVER },
        { type: 'FailOperation', id, error, ...lease },
        { type: 'FailOperation', id, error, asOperator: true },
        { type: 'RetryAttempt', id, error, notBeforeAt: 0, ...lease },
        { type: 'RequestCancel', id },
        { type: 'CancelOperation', id },
        { type: 'CancelOperation', id, leaseEpoch: NEVER },
        { type: 'RequestRetire', id },
        { type: 'MarkRetired', id, ...lease },
        reconcile(state, id, { type: 'fail' }),
        reconcile(state, id, { type: 'retry', notBeforeAt: 0 }),
        reconcile(state, id, { type: 'cancel' }),
        reconcile(state, id, { type: 'complete' }, 'completed'),
        rollback(state, id),
      ]
    }),
  ],
}

/** Attempts that are lost, verdicts with evidence that holds and that does not, late reports, attention, signs. */
export const VERDICTS: Alphabet = {
  kinds: { k: { policy: { retry: { maxAttempts: 2 }, cancelGraceMs: 0 } } },
  limits: SMALL,
  idsAreAlike: true,
  commands: (state) => [
    { type: 'RecordSigns', signs: signsOf(state) },
    ...perId((id) => {
      const operation = state.operations.get(id)
      const lease = leaseOf(state, id)
      const seen = {
        attempt: operation?.attempt ?? 1,
        lastRevision: operation?.lastRevision ?? 0,
        judgedAt: 0,
        graceMs: 0,
      }
      const witness = { ...seen, rule: 'witness', witness: 'completed' } as const
      const verdict = { type: 'ReconcileOperation', id, reasonCode: 'run.adapter_out_of_sync' } as const
      return [
        { type: 'RegisterOperation', id, kind: 'k' },
        { type: 'ProvisioningSucceeded', id },
        { type: 'RecordHeartbeat', id, ...lease },
        { type: 'RequestCancel', id },
        { type: 'RaiseAttention', id, rule: 'sign' },
        { type: 'ClearAttention', id, rule: 'sign' },
        { ...verdict, evidence: witness, disposition: { type: 'fail' } },
        { ...verdict, evidence: witness, disposition: { type: 'retry', notBeforeAt: 0 } },
        { ...verdict, evidence: witness, disposition: { type: 'cancel' } },
        { ...verdict, evidence: witness, disposition: { type: 'complete' } },
        { ...verdict, evidence: { ...seen, rule: 'cancel' }, disposition: { type: 'cancel' } },
        { ...verdict, evidence: { ...seen, rule: 'cancel' }, disposition: { type: 'complete' } },
        { ...verdict, evidence: { ...witness, lastRevision: 0 }, disposition: { type: 'fail' } },
        { type: 'RecordContradiction', id, claimed: 'completed' },
        {
          type: 'RecordContradiction',
          id,
          claimed: 'failed',
          ...(lease.leaseEpoch === undefined ? {} : { epoch: lease.leaseEpoch }),
        },
      ]
    }),
  ],
}

/** Phases in their order and out of it, kept over attempts; peers; progress. */
export const WORK: Alphabet = {
  kinds: { k: { phases: ['p', 'q'], expectsPeer: true, policy: { retry: { maxAttempts: 2 } } }, plain: {} },
  limits: SMALL,
  commands: (state) => [
    ...perId((id) => {
      const lease = leaseOf(state, id)
      const phases = ['p', 'q'].flatMap((phase): Command[] => [
        { type: 'StartPhase', id, phase, ...lease },
        { type: 'CompletePhase', id, phase, ...lease },
        { type: 'FailPhase', id, phase, error, ...lease },
      ])
      return id === 'b'
        ? [
            { type: 'RegisterOperation', id, kind: 'plain', claim: {} },
            { type: 'PeerReady', id, peer: 1, ...lease },
            { type: 'StartPhase', id, phase: 'free', ...lease },
            { type: 'CompletePhase', id, phase: 'free', ...lease },
            { type: 'CompleteOperation', id, ...lease },
          ]
        : [
            { type: 'RegisterOperation', id, kind: 'k' },
            { type: 'RegisterOperation', id, kind: 'k', phaseResults: { p: 1 } },
            { type: 'RegisterOperation', id, kind: 'k', phaseResults: { other: 1 } },
            { type: 'ProvisioningSucceeded', id },
            { type: 'PeerReady', id, peer: 1, ...lease },
            { type: 'ReportProgress', id, ...lease },
            { type: 'StartPhase', id, phase: 'other', ...lease },
            ...phases,
            { type: 'CompleteOperation', id, ...lease },
            { type: 'CancelOperation', id },
            { type: 'RetryAttempt', id, error, notBeforeAt: 0, ...lease },
          ]
    }),
  ],
}

/** Waits for all and for any, of one and of two, active and ended, over operations that end, leave and come again. */
export const WAITS: Alphabet = {
  kinds: { k: {}, gone: { retention: 'discard' } },
  limits: SMALL,
  idsAreAlike: true,
  commands: (state) => [
    { type: 'TerminateOwner', reason: '' },
    { type: 'RetireOwner', reason: '' },
    { type: 'CollectCompleted' },
    { type: 'BeginWaitAll', waitId: 'v', ids: ['a', 'b'] },
    { type: 'BeginWaitAll', waitId: 'v', ids: ['b', 'a'] },
    { type: 'BeginWaitAny', waitId: 'w', ids: ['a', 'b'] },
    { type: 'BeginWaitAny', waitId: 'w', ids: ['b', 'a'] },
    { type: 'BeginWaitAny', waitId: 'w', ids: ['a', 'a'] },
    { type: 'BeginWaitAny', waitId: 'w', ids: ['b', 'b'] },
    ...['v', 'w'].flatMap((waitId): Command[] => [
      { type: 'CancelWait', waitId },
      { type: 'ExpireWait', waitId },
    ]),
    ...perId((id) => [
      { type: 'RegisterOperation', id, kind: 'k' },
      { type: 'RegisterOperation', id, kind: 'gone' },
      { type: 'AbortProvisioning', id },
      rollback(state, id),
      { type: 'BeginWaitAll', waitId: 'v', ids: [id], deadlineAt: 0 },
      { type: 'BeginWaitAny', waitId: 'w', ids: [id] },
    ]),
  ],
}

/** The strict barrier: one wait at a time, and a wait past its deadline makes room by itself. */
export const BARRIER: Alphabet = {
  ...WAITS,
  limits: { ...SMALL, maxActiveWaits: 1 },
}

/** Admission, keys, joins, due times, limits that change, a registry that nobody opened yet. */
export const ADMISSION: Alphabet = {
  kinds: { k: {} },
  limits: { ...SMALL, maxConcurrent: 1, activeCeiling: 2 },
  changesLimits: true,
  idsAreAlike: true,
  commands: (state) => [
    { type: 'OpenRegistry' },
    { type: 'OpenRegistry', limits: { maxConcurrent: 0 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: 0 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: null } },
    { type: 'RetireOwner', reason: '' },
    { type: 'TerminateOwner', reason: '' },
    { type: 'RegisterOperation', id: 'c', kind: 'k', key: 'x', maxConcurrent: null },
    ...perId((id) => [
      { type: 'RegisterOperation', id, kind: 'k' },
      { type: 'RegisterOperation', id, kind: 'k', key: 'x' },
      { type: 'RegisterOperation', id, kind: 'k', maxConcurrent: 2 },
      { type: 'RegisterOperation', id, kind: 'k', claim: {}, notBeforeAt: 2_000_000 },
      { type: 'ProvisioningSucceeded', id, claimant: { id: 'one' } },
      { type: 'ProvisioningSucceeded', id, claimant: { id: 'other' } },
      { type: 'CancelOperation', id },
      rollback(state, id),
    ]),
  ],
}

/** Keys, joins, admission, limits that change, feed rows and suppressed ones, retention down to nothing, late reports. */
export const LETTING_GO: Alphabet = {
  kinds: { k: {}, gone: { retention: 'discard', feed: 'suppress' } },
  limits: { ...SMALL, maxConcurrent: 1 },
  changesLimits: true,
  idsAreAlike: true,
  commands: (state) => [
    { type: 'OpenRegistry' },
    { type: 'OpenRegistry', limits: { maxConcurrent: 2 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: null, maxCompleted: 0, tombstones: 0, feedRetention: 0 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: 1, maxCompleted: 2, tombstones: 1, feedRetention: 1 } },
    { type: 'CollectCompleted' },
    { type: 'TerminateOwner', reason: '' },
    ...perId((id) => {
      const { number = 1 } = targetOf(state, id) ?? {}
      return [
        { type: 'RegisterOperation', id, kind: 'k', key: 'k' },
        { type: 'RegisterOperation', id, kind: 'gone', key: 'k', maxConcurrent: null },
        { type: 'RegisterOperation', id, kind: 'k', maxConcurrent: null, claim: {} },
        { type: 'CompleteOperation', id, ...leaseOf(state, id) },
        { type: 'AbortProvisioning', id },
        rollback(state, id),
        { type: 'RecordContradiction', id, claimed: 'completed' },
        { type: 'RecordContradiction', id, claimed: 'failed' },
        { type: 'RecordContradiction', id, claimed: 'completed', epoch: number + 1 },
      ]
    }),
  ],
}

/** The same command again, another one under its id, and a registration that is undone. */
export const MEMORY: Alphabet = {
  kinds: { k: {}, silent: { feed: 'suppress' } },
  limits: { ...SMALL, commandMemory: { ms: 0, min: 2, max: 2 } },
  commands: () => [
    { commandId: 'one', command: { type: 'RegisterOperation', id: 'a', kind: 'k' } },
    { commandId: 'one', command: { type: 'RegisterOperation', id: 'b', kind: 'silent' } },
    { commandId: 'two', command: { type: 'RegisterOperation', id: 'b', kind: 'silent' } },
    { commandId: 'three', command: { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'one' } },
    { commandId: 'four', command: { type: 'CancelOperation', id: 'a' } },
    { commandId: 'five', command: { type: 'CancelOperation', id: 'b' } },
    { commandId: 'six', command: { type: 'CollectCompleted' } },
  ],
}
