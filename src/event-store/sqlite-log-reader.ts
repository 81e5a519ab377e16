/**
 * The embedded log for a thread that only reads: no writer thread, nothing that could write. What others commit is noticed
 * by a look every few milliseconds, and at once when the one who commits counts up a number that both see.
 */
import type { LogHealth, LogReader } from './event-store.ts'
import { AppendWakes } from './follow.ts'
import { openSqliteReads, type SqliteReads } from './sqlite-reads.ts'

export interface SqliteLogReaderOptions {
  /** Of a log that is there: nothing is made, nothing is brought forward. */
  readonly path: string
  readonly lockWaitMs?: number
  readonly pollMs?: number
  /** One Int32: whoever appends in this process adds to it and notifies. */
  readonly nudges?: SharedArrayBuffer
  readonly now?: () => number
}

/** Throws LogError for what is no log of ours. */
export async function openSqliteLogReader(options: SqliteLogReaderOptions): Promise<LogReader> {
  const { path, lockWaitMs = 2_000, pollMs = 20, nudges = new SharedArrayBuffer(4), now = Date.now } = options
  const wakes = new AppendWakes()
  let health: LogHealth = { status: 'ok' }
  const onDamage = (message: string) => {
    health = { status: 'damaged', message, since: now() }
  }
  const reads = await openSqliteReads({ path, lockWaitMs, wakes, onDamage })
  const watched = lookOut(reads, wakes, new Int32Array(nudges), pollMs)
  return {
    identity: async () => reads.identity,
    head: (stream) => reads.head(stream),
    end: () => reads.end(),
    at: (position) => reads.at(position),
    readStream: (stream, given) => reads.readStream(stream, given),
    readAll: (given) => reads.readAll(given),
    follow: (given) => reads.follow(given),
    watch: (listener) => watched.watch(() => listener({ type: 'unsure' })),
    health: () => health,
    async close() {
      if (health.status !== 'closed') health = { status: 'closed', message: 'The log is closed.', since: now() }
      reads.leave()
      await watched.close()
      reads.close()
    },
  }
}

/** Wakes followers as soon as there may be more, until it is closed. Looks only while somebody waits or listens. */
function lookOut(reads: SqliteReads, wakes: AppendWakes, nudges: Int32Array<SharedArrayBuffer>, pollMs: number) {
  const listeners = new Set<() => void>()
  let isClosed = false
  let goOn = () => {}
  wakes.onAwaited = () => goOn()
  const ended = look()
  return {
    watch(listener: () => void): () => void {
      const own = () => listener()
      listeners.add(own)
      goOn()
      return () => listeners.delete(own)
    },
    async close() {
      isClosed = true
      listeners.clear()
      goOn()
      Atomics.notify(nudges, 0)
      await ended
    },
  }

  async function look(): Promise<void> {
    let version = reads.dataVersion
    while (!isClosed) {
      if (!wakes.isAwaited && listeners.size === 0) {
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
        continue
      }
      // Read before looking: a number that was counted up since makes the wait end at once.
      const seen = Atomics.load(nudges, 0)
      const now = lookedAt(version)
      if (now !== version) {
        version = now
        wakes.wake()
        for (const listener of listeners) listener()
        continue
      }
      const wait = Atomics.waitAsync(nudges, 0, seen, pollMs)
      if (wait.async) await wait.value
    }
  }

  /** A file that can't be looked at just now is looked at again; what is wrong with it, reading it tells. */
  function lookedAt(version: number): number {
    try {
      return reads.dataVersion
    } catch {
      return version
    }
  }
}
