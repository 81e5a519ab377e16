/**
 * What may be asked of a registry beside commands, and what is answered: the one vocabulary of the shell that knows the
 * answers, of the doors that pass them on, and of the client that hands them out.
 */
import type { CloudEvent } from './cloud-event.ts'
import type { EventMetadata, LifecycleEvent, Limits, WaitMode } from './events.ts'
import type { Outcome } from './operation.ts'
import type { OperationView } from './operation-view.ts'
import type { FeedRow } from './registry.ts'
import type { Rejection } from './rejections.ts'
import type { PresentStatus } from './status.ts'
import type { WaitEnding } from './wait-view.ts'

/** The operations of one owner in one workspace. */
export interface RegistryAddress {
  readonly workspace: string
  readonly owner: string
}

export type Refusable<T> =
  | { readonly type: 'answered'; readonly answer: T }
  | { readonly type: 'refused'; readonly rejection: Rejection }

/** How an operation ended, as its watcher is told; `lost` where the way to the answer is. */
export type OutcomeTold =
  | Refusable<{ readonly outcome: Outcome; readonly status: PresentStatus }>
  | { readonly type: 'lost'; readonly error: unknown }

export interface OperationSnapshot extends OperationView, RegistryAddress {
  /** Watchers on this node. */
  readonly watchers: number
}

export interface RegistryOverview extends RegistryAddress {
  readonly registryId?: string
  readonly limits: Limits
  readonly retired: boolean
  readonly active: number
  readonly retained: number
  readonly waits: number
  readonly watermark: number
  readonly revision: number
}

/** One event of an operation's story. */
export interface HistoryEntry {
  readonly revision: number
  readonly position: bigint
  readonly event: LifecycleEvent
  readonly metadata: EventMetadata
}

export interface WaitRequest {
  readonly mode: WaitMode
  readonly ids: readonly string[]
  readonly waitId?: string
  readonly runId?: string
  /** Epoch ms. */
  readonly deadlineAt?: number
  /** Aborting cancels the wait. */
  readonly signal?: AbortSignal
}

/** How a wait ended; members in the order asked. */
export interface WaitAnswer {
  readonly waitId: string
  readonly mode: WaitMode
  readonly ending: WaitEnding
  readonly members: readonly WaitMember[]
  /** Id of the first one, for a wait for any. */
  readonly winner?: string
}

/** A wait as it is now: `ending` only when it has ended. */
export interface WaitStanding extends Omit<WaitAnswer, 'ending'> {
  readonly ending?: WaitEnding | undefined
  readonly runId?: string
  /** Epoch ms. */
  readonly deadlineAt: number
}

export interface WaitMember {
  readonly id: string
  readonly number: number
  /** Absent while it has not ended. */
  readonly outcome?: Outcome
}

export interface CompletionsRequest {
  /** Sequence of the last entry that was seen; 0 for none. */
  readonly after: number
  readonly limit?: number
  /** Wait for an entry when there is none yet, until the signal aborts. */
  readonly wait?: boolean
  readonly signal?: AbortSignal
}

export type CompletionPage =
  | { readonly type: 'entries'; readonly entries: readonly FeedRow[]; readonly watermark: number }
  /** Entries after the cursor were dropped by retention: read on after `droppedThrough`. */
  | {
      readonly type: 'gap'
      readonly requestedAfter: number
      readonly droppedThrough: number
      readonly watermark: number
    }

/** Which events are wanted; all that is given must hold. */
export interface EventsRequest {
  /** Cursor of the last event that was seen: it goes on behind it. From the beginning without one; 'now' for what comes. */
  readonly after?: string
  readonly workspace?: string
  readonly owner?: string
  readonly kind?: string
  /** Id of an operation. */
  readonly operation?: string
  /** Types of envelopes. */
  readonly types?: readonly string[]
}

/** A durable event in its envelope, and where it stands for whoever wants to go on behind it. */
export interface LiveEvent extends CloudEvent {
  readonly cursor: string
}

/** What was read up to the cursor is no beginning of what stands in the log now: look afresh, then go on behind this one. */
export interface EventsResync {
  readonly type: 'resync'
  readonly reason: 'log_replaced' | 'position_gone'
  /** The end of the log when that was noticed. */
  readonly cursor: string
}
