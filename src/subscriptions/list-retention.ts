/** Lets operations that ended long ago leave the lists, and later the read models: the follower's work, once in a while. */
import { OPERATION_HISTORY } from '../../projections/operation-history.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { forgetStories, overdueOperations, retentionPass } from '../../projections/operation-retention.ts'
import type { Projector } from '../../projections/projector.ts'
import type { ReadDatabase } from '../../projections/read-database.ts'
import type { ReadSideSettings } from './read-side-settings.ts'

export interface RetentionCounts {
  readonly marked: number
  readonly deleted: number
}

export class ListRetention {
  readonly #settings: ReadSideSettings
  #dueAt = Number.NEGATIVE_INFINITY

  constructor(settings: ReadSideSettings) {
    this.#settings = settings
  }

  /** One step, where it is time for one; more steps follow at once while there is more to do. Throws CheckpointLost. */
  pass(
    database: ReadDatabase,
    projectors: ReadonlyMap<string, Projector>,
    { now, monotonicNow }: { readonly now: number; readonly monotonicNow: number },
  ): RetentionCounts | undefined {
    const { listKeepMs, listKeepMax, listDeleteAfterMs, listRetentionEveryMs, listRetentionRowsMax } = this.#settings
    const index = projectors.get(OPERATION_INDEX.name)
    if (index === undefined || monotonicNow < this.#dueAt) return undefined
    const retention = { keepMs: listKeepMs, keepMax: listKeepMax, deleteAfterMs: listDeleteAfterMs }
    // Before the operations: whoever dies in between finds them again, marked as they were.
    const history = projectors.get(OPERATION_HISTORY.name)
    const overdue = overdueOperations(database, index, retention, now, listRetentionRowsMax)
    if (history !== undefined && overdue.length > 0) forgetStories(history, overdue, now)
    const { marked, deleted, hasMore } = retentionPass(database, index, retention, now, listRetentionRowsMax)
    if (!hasMore) this.#dueAt = monotonicNow + listRetentionEveryMs
    return { marked, deleted: deleted.length }
  }
}
