/**
 * Where folds are kept for a faster start: a cache beside the log, never a part of it. An entry says which event of which
 * log it stands behind; whoever loads one compares. Deleting the cache changes nothing but time.
 */
export interface SnapshotEntry {
  readonly logId: string
  readonly timeline: number
  readonly stream: string
  readonly revision: number
  /** Of the event at that revision. */
  readonly hash: string
  /** Raised with the form of the state; an entry of another schema is worth nothing. */
  readonly schema: number
  readonly state: string
}

export interface SnapshotCache {
  load(stream: string): SnapshotEntry | undefined
  /** Replaces the stream's entry. A cache that can't be written forgets, and says nothing. */
  save(entry: SnapshotEntry): void
  delete(stream: string): void
  close(): void
}

/** Lives as long as its process. */
export function memorySnapshotCache(): SnapshotCache {
  const entries = new Map<string, SnapshotEntry>()
  return {
    load: (stream) => entries.get(stream),
    save: (entry) => void entries.set(entry.stream, entry),
    delete: (stream) => void entries.delete(stream),
    close: () => {},
  }
}
