/**
 * Stored names: the events that belong to the log itself and not to any registry. They have the same envelope, metadata
 * and chain as every other event.
 */
import { z } from 'zod'
import { type EventMetadata, RULESET } from '../authority/events.ts'

const grantsSchema = z.array(z.strictObject({ workspace: z.string(), roles: z.array(z.string()) }))

export const LOG_EVENT_SCHEMAS = {
  /** Event 0 of `admin`: which log this is. A restore raises the timeline. */
  LogOpened: {
    version: 1,
    facts: z.strictObject({ logId: z.string(), timeline: z.int().min(1) }),
    content: z.strictObject({}),
  },
  /** In `admin`: from now on the reconciler goes so far with the operations of a kind. The newest of a kind counts. */
  ReconcilerModeChanged: {
    version: 1,
    facts: z.strictObject({ kind: z.string(), mode: z.enum(['enforce', 'observe', 'off']) }),
    content: z.strictObject({ reason: z.string() }),
  },
  /** In `admin`: somebody looked at what the breaker holds of a kind; whoever is suspect by its `at` may be reconciled. */
  ReconcilerBreakerReleased: {
    version: 1,
    facts: z.strictObject({ kind: z.string() }),
    content: z.strictObject({ reason: z.string() }),
  },
  /** In `admin`: a key of callers is good from now on, with these roles. Neither the key nor its hash is in it. */
  ApiKeyCreated: {
    version: 1,
    facts: z.strictObject({ keyId: z.string(), grants: grantsSchema, createdAt: z.int() }),
    content: z.strictObject({ name: z.string() }),
  },
  /** In `admin`: the same key has other roles from now on. */
  ApiKeyGrantsChanged: {
    version: 1,
    facts: z.strictObject({ keyId: z.string(), grants: grantsSchema }),
    content: z.strictObject({ name: z.string() }),
  },
  /** In `admin`: the key is good no more. */
  ApiKeyRevoked: {
    version: 1,
    facts: z.strictObject({ keyId: z.string(), revokedAt: z.int().optional() }),
    content: z.strictObject({ name: z.string() }),
  },
  /**
   * In `admin`: its actor lacked the right to what operators, auditors and administrators do. `attempts` of the same action from
   * `fromAt` to its `at`; what was asked for last stands in the content. `*` stands for all further actions of a minute.
   */
  OperatorActionDenied: {
    version: 1,
    facts: z.strictObject({ action: z.string(), right: z.string(), attempts: z.int().min(1), fromAt: z.int() }),
    content: z.strictObject({ workspace: z.string(), path: z.string() }),
  },
  /** In `cursors-<workspace>/<owner>`: how far the named consumer has confirmed the owner's completions. */
  CursorMoved: {
    version: 1,
    facts: z.strictObject({ name: z.string(), sequence: z.int().min(0) }),
    content: z.strictObject({}),
  },
} as const

type Schemas = typeof LOG_EVENT_SCHEMAS

export type LogEvent = {
  [T in keyof Schemas]: {
    readonly type: T
    readonly facts: Readonly<z.infer<Schemas[T]['facts']>>
    readonly content: Readonly<z.infer<Schemas[T]['content']>>
  }
}[keyof Schemas]

export interface RecordedLogEvent {
  readonly revision: number
  readonly event: LogEvent
  readonly metadata: EventMetadata
}

/** The metadata of an event that the log writes on its own account, or on that of somebody who may. */
export function logEventMetadata(
  commandType: string,
  commandId: string,
  at: number,
  actor = 'verdict',
  onBehalfOf?: string,
): EventMetadata {
  const sender = onBehalfOf === undefined ? { actor } : { actor, onBehalfOf }
  return { commandId, commandType, commandDigest: '', index: 0, count: 1, at, ...sender, ruleset: RULESET }
}
