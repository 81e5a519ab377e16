/**
 * Stored: a slim operation as one text, for rows that are folded on and shown from. Every field has its place and no name, so
 * that it takes a third of what it takes with names: most of what is written of an operation is this.
 *
 * A new field goes to the end of its list, and whoever keeps records is a new version of its projection.
 */
import type { KindFacts } from '../src/authority/events.ts'
import type { Policy } from '../src/authority/lifecycle-policy.ts'
import type { Lease, Operation, Progress } from '../src/authority/operation.ts'

/** `operationOf` gives the same operation back, as `slimOperation` leaves it. */
export function recordOf(operation: Operation): string {
  const { joined, waitedFor, peer, kindFacts, policy, progress, lease } = operation
  const places: unknown[] = []
  for (const name of ALWAYS) places.push(operation[name])
  places.push((joined ? JOINED : 0) + (waitedFor ? WAITED_FOR : 0) + (peer === undefined ? 0 : HAS_PEER))
  places.push(placesOfKindFacts(kindFacts), policy === null ? null : placesOfPolicy(policy), placesOfProgress(progress))
  places.push(lease === undefined ? undefined : [lease.epoch, lease.open, lease.claimant])
  let used = places.length
  for (const name of SOMETIMES) {
    const value = operation[name]
    if (places.push(value) && value !== undefined) used = places.length
  }
  places.length = used
  return JSON.stringify(places)
}

export function operationOf(record: string): Operation {
  const places: readonly unknown[] = JSON.parse(record)
  const operation: Record<string, unknown> = {}
  ALWAYS.forEach((name, i) => {
    operation[name] = places[i]
  })
  // As recordOf put them.
  const [flags, kindFacts, policy, progress, lease, ...sometimes] = places.slice(ALWAYS.length) as unknown as Folded
  operation.joined = (flags & JOINED) !== 0
  operation.waitedFor = (flags & WAITED_FOR) !== 0
  if ((flags & HAS_PEER) !== 0) operation.peer = null
  operation.kindFacts = kindFactsIn(kindFacts)
  operation.policy = policy && policyIn(policy)
  operation.progress = progressIn(progress)
  if (lease !== null) operation.lease = leaseIn(lease)
  SOMETIMES.forEach((name, i) => {
    const value = sometimes[i]
    if (value !== undefined && value !== null) operation[name] = value
  })
  return operation as unknown as Operation // recordOf took it apart
}

const ALWAYS = [
  'id',
  'number',
  'kind',
  'status',
  'registrationCommandId',
  'attempt',
  'registeredAt',
  'lastRevision',
  'waits',
  'phases',
  'attention',
  'contradictions',
] as const satisfies readonly (keyof Operation)[]

/** Those that an operation often has come first: what is not there behind the last one takes no room. */
const SOMETIMES = [
  'startedAt',
  'claimedAt',
  'lastSignAt',
  'completedAt',
  'sequence',
  'terminalRevision',
  'outcome',
  'name',
  'key',
  'labels',
  'source',
  'retryOf',
  'attemptEndedAt',
  'notBeforeAt',
  'lastError',
  'cancel',
  'retireRequestedAt',
] as const satisfies readonly (keyof Operation)[]

type Apart = 'joined' | 'waitedFor' | 'peer' | 'kindFacts' | 'policy' | 'progress' | 'lease' | 'input'
type Forgotten = Exclude<keyof Operation, (typeof ALWAYS)[number] | (typeof SOMETIMES)[number] | Apart>
true satisfies [Forgotten] extends [never] ? true : never

type Places = readonly unknown[]
type Folded = readonly [number, Places, Places | null, Places, Places | null, ...unknown[]]

const JOINED = 1
const WAITED_FOR = 2
const HAS_PEER = 4

function placesOfKindFacts({ expectsPeer, feed, wakeOwner, retention, phases }: KindFacts): Places {
  return [expectsPeer, feed, wakeOwner, retention, phases]
}

function kindFactsIn([expectsPeer, feed, wakeOwner, retention, phases]: Places) {
  return { expectsPeer, feed, wakeOwner, retention, phases } satisfies Record<keyof KindFacts, unknown>
}

function placesOfPolicy(policy: Policy): Places {
  const { retry, queue } = policy
  const { maxAttempts, backoff, owner } = retry
  const { initialMs, factor, maxMs, jitter } = backoff
  return [
    policy.provisioningTimeoutMs,
    policy.startGraceMs,
    policy.heartbeatIntervalMs,
    policy.lateAfterMs,
    policy.staleAfterMs,
    policy.progressTimeoutMs,
    policy.maxRuntimeMs,
    policy.cancelGraceMs,
    policy.retireTimeoutMs,
    policy.reconcileDelayMs,
    maxAttempts,
    initialMs,
    factor,
    maxMs,
    jitter,
    owner,
    queue,
  ]
}

function policyIn(places: Places) {
  const [provisioningTimeoutMs, startGraceMs, heartbeatIntervalMs, lateAfterMs, staleAfterMs, ...further] = places
  const [progressTimeoutMs, maxRuntimeMs, cancelGraceMs, retireTimeoutMs, reconcileDelayMs, ...retrying] = further
  const [maxAttempts, initialMs, factor, maxMs, jitter, owner, queue] = retrying
  return {
    provisioningTimeoutMs,
    startGraceMs,
    heartbeatIntervalMs,
    lateAfterMs,
    staleAfterMs,
    progressTimeoutMs,
    maxRuntimeMs,
    cancelGraceMs,
    retireTimeoutMs,
    reconcileDelayMs,
    retry: { maxAttempts, backoff: { initialMs, factor, maxMs, jitter }, owner },
    queue,
  } satisfies Record<keyof Policy, unknown>
}

function placesOfProgress({ count, inAttempt, lastAt, percent, processed, total, message }: Progress): Places {
  // None of them is there before the first report.
  if (lastAt === undefined && count === 0) return [count, inAttempt]
  return [count, inAttempt, lastAt, percent, processed, total, message]
}

function progressIn([count, inAttempt, lastAt, percent, processed, total, message]: Places) {
  return present({ count, inAttempt, lastAt, percent, processed, total, message } satisfies Record<
    keyof Progress,
    unknown
  >)
}

function leaseIn([epoch, open, claimant]: Places) {
  return present({ epoch, open, claimant } satisfies Record<keyof Lease, unknown>)
}

/** Without what is not there, which JSON tells as null. */
function present(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}
