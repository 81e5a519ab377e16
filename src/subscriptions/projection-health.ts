/** How a projection stands: how far behind, whether it moves, what it could not go on with. */
import type { DiscardedEvent } from '../../projections/operator-orders.ts'
import type { ParkedStream } from '../../projections/read-database.ts'
import type { LogLag } from './log-lag.ts'
import type { UnusableProjection } from './thread-data.ts'

export type ProjectionStatus =
  /** Its rows are as good as the log. */
  | 'following'
  /** Behind, and moving. */
  | 'lagging'
  /** Behind, and not moving. */
  | 'stalled'
  /** New rows are being made; where there are older ones, they are served meanwhile. */
  | 'rebuilding'
  /** Another process of this machine follows. */
  | 'standby'
  /** Nobody follows, for a reason that does not pass by itself. */
  | 'stopped'

export interface ProjectionHealth {
  readonly projection: string
  /** 0 where it could not be loaded. */
  readonly version: number
  readonly status: ProjectionStatus
  /** What stands in the way, as a sentence. */
  readonly message?: string
  /** Of the rows that are served; absent while there are none. */
  readonly position?: bigint
  readonly lag?: LogLag
  readonly parked: readonly ParkedStream[]
  readonly discarded: readonly DiscardedEvent[]
  /** Operations that have left the lists and are deleted later: of the index alone. */
  readonly hidden?: number
  readonly rebuild?: RebuildProgress
}

/** Of what was named as a projection and is none. */
export function healthOfUnusable({ name, message }: UnusableProjection): ProjectionHealth {
  return { projection: name, version: 0, status: 'stopped', message, parked: [], discarded: [] }
}

export interface RebuildProgress {
  /** Events of registries that were folded. */
  readonly events: number
  readonly position: bigint
  /** Of the log, when the rebuild began. */
  readonly end: bigint
}

export interface StandingFacts {
  readonly stopped: string | undefined
  readonly isRebuilding: boolean
  /** There are rows. */
  readonly isServed: boolean
  /** Who follows: this process, another one, or nobody. */
  readonly follower: 'this' | 'other' | 'nobody'
  readonly lag: LogLag | undefined
  /** Since the rows moved last. */
  readonly stillMs: number
  readonly laggingMs: number
  readonly stalledMs: number
}

/** Pure: one answer for each set of facts. */
export function statusOf(facts: StandingFacts): ProjectionStatus {
  const { stopped, isRebuilding, isServed, follower, lag, stillMs, laggingMs, stalledMs } = facts
  if (isRebuilding) return 'rebuilding'
  if (stopped !== undefined || !isServed || follower === 'nobody') return 'stopped'
  // A log that can't be read can't be followed either.
  if (lag === undefined) return 'stalled'
  // What has waited for so long while the rows stood still waits for nothing that happens by itself.
  if (lag.ms >= stalledMs && stillMs >= stalledMs) return 'stalled'
  if (lag.ms >= laggingMs) return 'lagging'
  return follower === 'this' ? 'following' : 'standby'
}
