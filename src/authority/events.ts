/**
 * Stored names. Every event of a registry's stream, version 1 (lifecycle.md, section 7). What is written here is written
 * for ever: changing a name or a field means a new version, an upcaster in the event store, and a kept example.
 *
 * `facts` are what decisions and proofs rest on. `content` is what people and programs wrote; it is hashed apart, so that
 * it may one day be erased or sealed while the chain still verifies. Times are epoch milliseconds (`...At`), durations
 * integer milliseconds (`...Ms`); revisions, numbers, epochs and sequences are JSON integers.
 */
import { z } from 'zod'
import type { JsonValue } from './json-value.ts'
import { policySchema } from './lifecycle-policy.ts'

const json = z.custom<JsonValue>((value) => value !== undefined)
const count = z.int().min(0)
const at = z.int()
const name = z.string()

/** What went wrong, as the worker, the caller or the reconciler tells it. */
export const errorSchema = z.strictObject({
  message: z.string(),
  code: z.string().optional(),
  details: json.optional(),
})
export type OperationError = z.infer<typeof errorSchema>

export const claimantSchema = z.strictObject({
  id: name,
  host: z.string().optional(),
  pid: count.optional(),
  version: z.string().optional(),
})
export type Claimant = z.infer<typeof claimantSchema>

export const limitsSchema = z.strictObject({
  /** Active operations at once; null is unlimited (up to activeCeiling), 0 refuses everything. */
  maxConcurrent: count.nullable(),
  /** Terminal operations kept whole; below 1 acts as 1. */
  maxCompleted: count,
  /** Waits at once; null is unlimited, 1 the strict barrier. */
  maxActiveWaits: count.nullable(),
  activeCeiling: count,
  tombstones: count,
  feedRetention: count,
  /** Accepted commands stay known for `ms`, at least `min` and at most `max` of them. */
  commandMemory: z
    .strictObject({ ms: count, min: count, max: count })
    .refine(({ min, max }) => min <= max, 'expected min to be at most max'),
  endedWaits: count,
})
export type Limits = z.infer<typeof limitsSchema>

export const DEFAULT_LIMITS: Limits = {
  maxConcurrent: null,
  maxCompleted: 256,
  maxActiveWaits: null,
  activeCeiling: 100_000,
  tombstones: 10_000,
  feedRetention: 4_096,
  commandMemory: { ms: 15 * 60_000, min: 4_096, max: 16_384 },
  endedWaits: 256,
}

/** What the kind of an operation means for its life, resolved at registration and stored with it. */
export const kindFactsSchema = z.strictObject({
  expectsPeer: z.boolean(),
  feed: z.enum(['emit', 'suppress']),
  wakeOwner: z.boolean(),
  retention: z.enum(['retain', 'discard']),
  /** Declared phases in their order; null where none are declared: then they take the order in which they are first started. */
  phases: z.array(name).nullable(),
})
export type KindFacts = z.infer<typeof kindFactsSchema>

export const retryOfSchema = z.strictObject({ id: name, number: count })
export const labelsSchema = z.record(z.string(), z.string())
export const phaseResultsSchema = z.record(z.string(), json)

export const DEADLINE_RULES = ['queued', 'first_sign', 'sign', 'progress', 'runtime', 'cancel', 'retire'] as const
export const deadlineRuleSchema = z.enum(DEADLINE_RULES)
export type DeadlineRule = z.infer<typeof deadlineRuleSchema>

export const REASON_CODES = [
  'run.stale_queued',
  'run.stale_running',
  'run.stale_retiring',
  'run.stalled',
  'run.deadline_exceeded',
  'run.cancel_ignored',
  'run.infrastructure_timeout_or_abandonment',
  'run.queue_failure_bridge',
  'run.never_enqueued',
  'run.adapter_out_of_sync',
] as const
export const reasonCodeSchema = z.enum(REASON_CODES)
export type ReasonCode = z.infer<typeof reasonCodeSchema>

export const witnessAnswerSchema = z.enum(['waiting', 'active', 'completed', 'failed', 'absent', 'unknown'])
export type WitnessAnswer = z.infer<typeof witnessAnswerSchema>

/** What the reconciler saw when it judged. */
export const evidenceSchema = z.strictObject({
  rule: z.enum([...DEADLINE_RULES, 'witness']),
  attempt: z.int().min(1),
  lastRevision: count,
  lastSignAt: at.optional(),
  deadlineAt: at.optional(),
  judgedAt: at,
  graceMs: count,
  witness: witnessAnswerSchema.optional(),
})
export type Evidence = z.infer<typeof evidenceSchema>

export const reconciliationSchema = z.strictObject({ reasonCode: reasonCodeSchema, evidence: evidenceSchema })
export type Reconciliation = z.infer<typeof reconciliationSchema>

export const waitModeSchema = z.enum(['all', 'any'])
export type WaitMode = z.infer<typeof waitModeSchema>

const operation = { id: name, number: count }
const attempt = z.int().min(1)
const sequence = z.int().min(1)
const nothing = z.strictObject({})
const reason = z.strictObject({ reason: z.string().optional() })

export const EVENT_SCHEMAS = {
  RegistryOpened: {
    version: 1,
    facts: z.strictObject({ registryId: name, limits: limitsSchema }),
    /** digestKey: 32 random bytes in hex, the key of this registry's command digests. */
    content: z.strictObject({ digestKey: z.string().regex(/^[0-9a-f]{64}$/) }),
  },
  RegistryLimitsChanged: { version: 1, facts: z.strictObject({ limits: limitsSchema }), content: nothing },
  OperationRegistered: {
    version: 1,
    facts: z.strictObject({
      id: name,
      kind: name,
      kindFacts: kindFactsSchema,
      policy: policySchema.nullable(),
      key: name.optional(),
      notBeforeAt: at.optional(),
      retryOf: retryOfSchema.optional(),
    }),
    content: z.strictObject({
      name: z.string().optional(),
      source: z.string().optional(),
      input: json.optional(),
      labels: labelsSchema.optional(),
      phaseResults: phaseResultsSchema.optional(),
    }),
  },
  RegistrationJoined: { version: 1, facts: z.strictObject(operation), content: nothing },
  RegistrationRolledBack: { version: 1, facts: z.strictObject(operation), content: nothing },
  OperationStarted: {
    version: 1,
    facts: z.strictObject({ ...operation, attempt, claimant: claimantSchema.optional() }),
    content: nothing,
  },
  PeerBecameReady: { version: 1, facts: z.strictObject(operation), content: z.strictObject({ peer: json }) },
  ProgressReported: {
    version: 1,
    facts: z.strictObject({
      ...operation,
      /** How many reports this event stands for. */
      reports: z.int().min(1),
      percent: z.number().min(0).max(100).optional(),
      processed: z.number().min(0).optional(),
      total: z.number().min(0).optional(),
    }),
    content: z.strictObject({ message: z.string().optional() }),
  },
  SignsOfLifeRecorded: {
    version: 1,
    /** Pairs of number and heardAt: the latest sign of each operation. */
    facts: z.strictObject({ signs: z.array(z.tuple([count, at])).min(1) }),
    content: nothing,
  },
  PhaseStarted: { version: 1, facts: z.strictObject({ ...operation, phase: name, attempt }), content: nothing },
  PhaseCompleted: {
    version: 1,
    facts: z.strictObject({ ...operation, phase: name, attempt }),
    content: z.strictObject({ result: json }),
  },
  PhaseFailed: {
    version: 1,
    facts: z.strictObject({ ...operation, phase: name, attempt }),
    content: z.strictObject({ error: errorSchema }),
  },
  AttemptFailed: {
    version: 1,
    facts: z.strictObject({ ...operation, attempt, notBeforeAt: at }),
    content: z.strictObject({ error: errorSchema }),
  },
  AttemptLost: {
    version: 1,
    facts: z.strictObject({ ...operation, attempt, notBeforeAt: at, reconciliation: reconciliationSchema.optional() }),
    content: z.strictObject({ error: errorSchema.optional() }),
  },
  CancelRequested: { version: 1, facts: z.strictObject({ ...operation, deadlineAt: at }), content: reason },
  RetireRequested: { version: 1, facts: z.strictObject(operation), content: nothing },
  OperationCompleted: {
    version: 1,
    facts: z.strictObject({ ...operation, sequence, reconciliation: reconciliationSchema.optional() }),
    content: z.strictObject({ result: json }),
  },
  OperationFailed: {
    version: 1,
    facts: z.strictObject({
      ...operation,
      sequence,
      reasonCode: reasonCodeSchema.optional(),
      reconciliation: reconciliationSchema.optional(),
    }),
    content: z.strictObject({ error: errorSchema }),
  },
  OperationCancelled: {
    version: 1,
    facts: z.strictObject({ ...operation, sequence, reconciliation: reconciliationSchema.optional() }),
    content: reason,
  },
  OperationAborted: { version: 1, facts: z.strictObject({ ...operation, sequence }), content: reason },
  OperationRetired: { version: 1, facts: z.strictObject({ ...operation, sequence }), content: reason },
  OwnerTerminated: {
    version: 1,
    facts: z.strictObject({
      /** Numbers of the operations that this event ends, ascending: the first, then differences. */
      numbers: z.array(count).min(1),
      /** Sequence of the first; the others follow in order. */
      firstSequence: sequence,
    }),
    content: z.strictObject({ reason: z.string() }),
  },
  OwnerRetired: { version: 1, facts: nothing, content: z.strictObject({ reason: z.string() }) },
  AttentionRaised: {
    version: 1,
    facts: z.strictObject({ ...operation, attempt, rule: deadlineRuleSchema }),
    content: nothing,
  },
  AttentionCleared: {
    version: 1,
    facts: z.strictObject({ ...operation, attempt, rule: deadlineRuleSchema }),
    content: nothing,
  },
  ContradictionRecorded: {
    version: 1,
    facts: z.strictObject({ ...operation, claimed: z.enum(['completed', 'failed']), leaseEpoch: count.optional() }),
    content: z.strictObject({ result: json.optional(), error: errorSchema.optional() }),
  },
  WaitBegan: {
    version: 1,
    facts: z.strictObject({
      waitId: name,
      mode: waitModeSchema,
      /** In the order asked. */
      numbers: z.array(count).min(1),
      runId: z.string().optional(),
      deadlineAt: at,
    }),
    content: nothing,
  },
  WaitExpired: { version: 1, facts: z.strictObject({ waitId: name }), content: nothing },
  WaitCancelled: { version: 1, facts: z.strictObject({ waitId: name }), content: nothing },
  CompletedCollected: {
    version: 1,
    facts: z.strictObject({ fromSequence: sequence, throughSequence: sequence }),
    content: nothing,
  },
} as const

type Schemas = typeof EVENT_SCHEMAS
export type EventType = keyof Schemas

/** One event of a registry, as decided or as decoded: the name, the facts, the content. */
export type LifecycleEvent = {
  [T in EventType]: {
    readonly type: T
    readonly facts: Readonly<z.infer<Schemas[T]['facts']>>
    readonly content: Readonly<z.infer<Schemas[T]['content']>>
  }
}[EventType]

export type EventOf<T extends EventType> = Extract<LifecycleEvent, { type: T }>

/** Stored names: what is told of the command behind an event, and of its place among that command's events. */
export const metadataSchema = z.strictObject({
  commandId: name,
  commandType: z.string(),
  /** The first 16 bytes, in hex, of SHA-256(digestKey || the command as its sender gave it). */
  commandDigest: z.string(),
  index: count,
  count: z.int().min(1),
  /** Stamped by the node that decided, epoch ms; never clamped. */
  at,
  /** The authenticated principal. */
  actor: z.string(),
  /** For whom the actor says he acts: his word, which gives no right and never stands in his place. */
  onBehalfOf: z.string().optional(),
  correlationId: z.string().optional(),
  causationId: z.string().optional(),
  traceparent: z.string().optional(),
  ruleset: z.int().min(1),
})
export type EventMetadata = Readonly<z.infer<typeof metadataSchema>>

/** An event in its place in the stream: what `evolve` folds. */
export interface RecordedEvent<E extends LifecycleEvent = LifecycleEvent> {
  readonly revision: number
  readonly event: E
  readonly metadata: EventMetadata
}

/** The rules that `decide` follows now; a change of the table raises it, and every event carries it. */
export const RULESET = 1
