/** Random histories of a registry of six operations: what comes of random wishes, sent one after the other. */
import fc from 'fast-check'
import type { Command, StampedCommand } from '../../../src/authority/commands.ts'
import { decide } from '../../../src/authority/decide.ts'
import type { Decision } from '../../../src/authority/decision.ts'
import { DEFAULT_LIMITS, type Limits, type RecordedEvent } from '../../../src/authority/events.ts'
import { step } from '../../../src/authority/evolve.ts'
import { type KindDefinitions, resolveKind } from '../../../src/authority/kinds.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../../src/authority/registry.ts'

const KINDS: KindDefinitions = {
  k: { policy: { retry: { maxAttempts: 3 }, cancelGraceMs: 0 } },
  phased: { phases: ['p', 'q'] },
  peered: { expectsPeer: true },
  silent: { feed: 'suppress' },
  discarded: { retention: 'discard' },
}

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const error = { message: 'no' }
/** Which lease a command carries: the right one, none, or one that nobody holds. */
const lease = fc.constantFrom('right', 'right', 'right', 'none', 'wrong')

/** A wish: turned into a command when the state is known, because epochs are read from it. */
export type Wish = (state: RegistryState) => Command

const withLease = (state: RegistryState, of: string, which: string) => {
  const epoch = state.operations.get(of)?.lease?.epoch ?? state.tombstones.get(of)?.leaseEpoch
  if (which === 'wrong') return { leaseEpoch: 1_000_000 }
  return which === 'right' && epoch !== undefined ? { leaseEpoch: epoch } : {}
}

const worker = fc
  .tuple(
    id,
    lease,
    fc.constantFrom<(of: string, carried: { leaseEpoch?: number }) => Command>(
      (of, carried) => ({ type: 'CompleteOperation', id: of, ...carried, result: of }),
      (of, carried) => ({ type: 'FailOperation', id: of, ...carried, error }),
      (of, carried) => ({ type: 'RetryAttempt', id: of, ...carried, error, notBeforeAt: 0 }),
      (of, carried) => ({ type: 'ReportProgress', id: of, ...carried, processed: 1, total: 2 }),
      (of, carried) => ({ type: 'RecordHeartbeat', id: of, ...carried }),
      (of, carried) => ({ type: 'PeerReady', id: of, ...carried, peer: 1 }),
      (of, carried) => ({ type: 'StartPhase', id: of, ...carried, phase: 'p' }),
      (of, carried) => ({ type: 'CompletePhase', id: of, ...carried, phase: 'p' }),
      (of, carried) => ({ type: 'MarkRetired', id: of, ...carried }),
    ),
  )
  .map(
    ([of, which, make]): Wish =>
      (state) =>
        make(of, withLease(state, of, which)),
  )

const others = fc
  .tuple(
    id,
    fc.constantFrom<(of: string, state: RegistryState) => Command>(
      (of) => ({ type: 'ProvisioningSucceeded', id: of }),
      (of) => ({ type: 'ProvisioningFailed', id: of, error }),
      (of) => ({ type: 'AbortProvisioning', id: of }),
      (of) => ({ type: 'CancelOperation', id: of }),
      (of) => ({ type: 'RequestCancel', id: of }),
      (of) => ({ type: 'RequestRetire', id: of }),
      (of) => ({ type: 'RaiseAttention', id: of, rule: 'sign' }),
      (of) => ({ type: 'RecordContradiction', id: of, epoch: 1, claimed: 'completed' }),
      (of, state) => {
        const registrationCommandId = state.operations.get(of)?.registrationCommandId ?? '-'
        return { type: 'RollbackRegistration', id: of, registrationCommandId }
      },
      (of, state) => {
        const { attempt = 1, lastRevision = 0 } = state.operations.get(of) ?? {}
        const evidence = { rule: 'witness', witness: 'failed', attempt, lastRevision, judgedAt: 1, graceMs: 0 } as const
        const disposition = { type: 'retry', notBeforeAt: 0 } as const
        return { type: 'ReconcileOperation', id: of, evidence, reasonCode: 'run.never_enqueued', disposition }
      },
    ),
  )
  .map(
    ([of, make]): Wish =>
      (state) =>
        make(of, state),
  )

const registration = fc
  .record({
    of: id,
    kind: fc.constantFrom(...Object.keys(KINDS)),
    key: fc.constantFrom(undefined, undefined, 'x', 'y'),
    claim: fc.constantFrom(undefined, {}),
  })
  .map(
    ({ of, kind, key, claim }): Wish =>
      () => ({ type: 'RegisterOperation', id: of, kind, key, claim }),
  )

const waiting = fc
  .tuple(
    fc.constantFrom('v', 'w'),
    fc.constantFrom('BeginWaitAll', 'BeginWaitAny'),
    fc.uniqueArray(id, { maxLength: 3 }),
  )
  .map(
    ([waitId, type, ids]): Wish =>
      () => ({ type: type as 'BeginWaitAll', waitId, ids, deadlineAt: 50 }),
  )

const rare = fc.constantFrom<Wish>(
  () => ({ type: 'TerminateOwner', reason: 'over' }),
  () => ({ type: 'CollectCompleted' }),
  () => ({ type: 'CancelWait', waitId: 'w' }),
  () => ({ type: 'ExpireWait', waitId: 'v' }),
  (state) => ({ type: 'RecordSigns', signs: [...state.ids].slice(0, 3).map(([number]) => [number, 77]) }),
)

export const wishes: fc.Arbitrary<Wish[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: registration },
    { weight: 10, arbitrary: worker },
    { weight: 6, arbitrary: others },
    { weight: 2, arbitrary: waiting },
    { weight: 1, arbitrary: rare },
    { weight: 1, arbitrary: fc.constant<Wish>(() => ({ type: 'RetireOwner', reason: 'gone' })) },
  ),
  { minLength: 20, maxLength: 120, size: 'max' },
)

export const limits: fc.Arbitrary<Limits> = fc.record({
  maxConcurrent: fc.constantFrom(null, 1, 2, 3),
  maxCompleted: fc.integer({ min: 0, max: 4 }),
  maxActiveWaits: fc.constantFrom(null, 1),
  activeCeiling: fc.constantFrom(2, 100),
  tombstones: fc.integer({ min: 0, max: 3 }),
  feedRetention: fc.integer({ min: 0, max: 3 }),
  commandMemory: fc.constantFrom({ ms: 10, min: 1, max: 4 }, { ms: 0, min: 0, max: 0 }),
  endedWaits: fc.integer({ min: 0, max: 2 }),
})

/** One wish after the other, decided on the state that the ones before it left; the i-th at a time near i. */
export function stampedWish(wish: Wish, state: RegistryState, i: number, given: Limits, seed: number): StampedCommand {
  return stampedCommand(wish(state), `c${i}`, 40 + ((seed >>> (i % 16)) & 7) + i, given)
}

/** The events of an accepted command, in their places behind a state. */
export function recordedEvents(
  state: RegistryState,
  { command, commandId, digest, at }: StampedCommand,
  decision: Decision & { readonly type: 'accepted' },
): readonly RecordedEvent[] {
  const count = decision.events.length
  return decision.events.map((event, index) => ({
    revision: state.revision + 1 + index,
    event,
    metadata: {
      commandId,
      commandType: command.type,
      commandDigest: digest,
      index,
      count,
      at,
      actor: 'p',
      ruleset: 1,
    },
  }))
}

/** What is stored when all of it is sent, and the state that comes of it. */
export function historyOf(
  given: Limits,
  sent: readonly Wish[],
  seed: number,
): { readonly history: readonly RecordedEvent[]; readonly state: RegistryState } {
  const history: RecordedEvent[] = []
  let state = EMPTY_REGISTRY
  for (const [i, wish] of sent.entries()) {
    const stamped = stampedWish(wish, state, i, given, seed)
    const decision = decide(state, stamped)
    if (decision.type !== 'accepted') continue
    for (const recorded of recordedEvents(state, stamped, decision)) {
      state = step(state, recorded).state
      history.push(recorded)
    }
  }
  return { history, state }
}

function stampedCommand(command: Command, commandId: string, at: number, given: Limits): StampedCommand {
  const opening = { registryId: 'r', digestKey: '0'.repeat(64), limits: { ...DEFAULT_LIMITS, ...given } }
  const { kindFacts, policy } = resolveKind(KINDS, command.type === 'RegisterOperation' ? command.kind : '', undefined)
  const resolved = { opening, kindFacts, policy, claimant: { id: commandId }, waitId: commandId, deadlineAt: 50 }
  return { command, commandId, digest: commandId, at, resolved }
}
