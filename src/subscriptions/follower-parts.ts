/** What following is done with, and what others are told of it. */
import type { Projection } from '../../projections/projection.ts'
import type { LogReader } from '../event-store/event-store.ts'
import type { Clock } from '../runtime/clock.ts'
import type { RetentionCounts } from './list-retention.ts'
import type { ParkedNews } from './parked-watch.ts'
import type { ReadSideSettings } from './read-side-settings.ts'
import type { RowMoves } from './row-moves.ts'

export interface FollowerParts {
  /** Of the file of the read models. */
  readonly path: string
  readonly reader: LogReader
  readonly projections: readonly Projection[]
  readonly settings: ReadSideSettings
  readonly clock: Clock
  readonly random: () => number
  /** Names this process among those that share the file. */
  readonly holder: string
  /** `watch` never follows: it only tells how things stand. */
  readonly mode: 'follow' | 'watch'
  readonly moves: RowMoves
  /** Operations left the lists, or the rows. */
  readonly onRetention: (pass: RetentionCounts) => void
  /** Streams were parked, or are no longer. */
  readonly onParked: (news: readonly ParkedNews[]) => void
  /** These have no rows of their version in this log: somebody is to build them. */
  readonly onUnbuilt: (projections: readonly string[]) => void
}

/** Names of leases in the file. One process follows, and one rebuild at a time runs. */
export const FOLLOW_LEASE = 'follow'
export const REBUILD_LEASE = 'rebuild'
/** A rebuild takes what others leave: on a busy machine it may be silent for longer than one who follows, and lives. */
export const REBUILD_LEASE_LIVES = 4
