/** The log of a node: where it lies, as people write it, and how it is opened. */
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { SettingsError } from '../config.ts'
import { type EventStore, LogError } from '../event-store/event-store.ts'
import { isEventStoreDbAddress, withoutPassword } from '../event-store/eventstoredb-address.ts'
import { openMemoryStore } from '../event-store/memory.ts'
import { memorySnapshotCache, type SnapshotCache } from '../event-store/snapshot-cache.ts'
import { openSqliteStore } from '../event-store/sqlite.ts'
import { openSnapshotCache } from '../event-store/sqlite-snapshot-cache.ts'
import type { Clock } from '../runtime/clock.ts'
import { threadEnvironment } from '../runtime/thread-environment.ts'

/** `memory:` keeps everything in this process and nowhere else. */
export const MEMORY_LOCATION = 'memory:'
/** What it is called by those who know SQLite, to whom it must not be a file of that name. */
const MEMORY_LOCATION_OF_SQLITE = ':memory:'

export type LogPlace =
  | { readonly type: 'memory' }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'eventstoredb'; readonly address: string }

/** Throws SettingsError, without the password that an address may hold. */
export function placeOf(location: string): LogPlace {
  const refuse = (why: string) => new SettingsError(`${why}, got ${JSON.stringify(location)}`)
  // From JavaScript anything may come, such as an environment variable that is not set.
  const isPlace: boolean = typeof location === 'string' && location.trim() !== ''
  if (!isPlace) throw refuse('a log has a path or an address')
  if (isEventStoreDbAddress(location)) return { type: 'eventstoredb', address: location }
  const path = location.replace(/^sqlite:/, '')
  if (location === MEMORY_LOCATION || path === MEMORY_LOCATION_OF_SQLITE) return { type: 'memory' }
  // sqlite:///a/path is what others write for a path that begins at the root; sqlite://a/path would begin there, too.
  if (path !== location && (path.trim() === '' || /^\/\/[^/]/.test(path)))
    throw refuse('sqlite: wants a path behind it')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    throw new SettingsError(
      `a log is at a path, sqlite:PATH, memory: or esdb://host:port, got "${withoutPassword(path)}"`,
    )
  }
  return { type: 'file', path }
}

export interface OpenLog {
  readonly store: EventStore
  readonly snapshots: SnapshotCache
  /** What the paths of files begin with that are kept for this log on this machine; undefined where there is no place for them. */
  readonly beside?: string | undefined
}

export async function openLog(place: LogPlace, mustExist: boolean, lockWaitMs: number, clock: Clock): Promise<OpenLog> {
  const now = () => clock.now()
  switch (place.type) {
    case 'memory':
      if (mustExist) throw missing(MEMORY_LOCATION)
      return { store: openMemoryStore({ now }), snapshots: memorySnapshotCache() }
    case 'eventstoredb': {
      const { address } = place
      // Its client takes longer to load than everything else together.
      const { openEventStoreDb } = await import('../event-store/eventstoredb.ts')
      const store = await openEventStoreDb({ connectionString: address, mustExist, now })
      const { logId } = await store.identity()
      const directory = stateDirectory()
      const beside = directory === undefined ? undefined : join(directory, logId)
      return { store, snapshots: memorySnapshotCache(), beside }
    }
    case 'file': {
      const { path } = place
      if (mustExist && !existsSync(path)) throw missing(path)
      const store = await openSqliteStore({ path, lockWaitMs, now, threadEnvironment: threadEnvironment() })
      return { store, snapshots: openSnapshotCache(`${path}-snapshots`), beside: path }
    }
    default:
      return place satisfies never
  }
}

/**
 * Where this user's programs keep what should outlive them: https://specifications.freedesktop.org/basedir-spec/. Made when it
 * is missing; undefined where it can't be.
 */
function stateDirectory(): string | undefined {
  // What is not absolute is to be ignored.
  const { XDG_STATE_HOME: named = '' } = process.env
  const directory = join(isAbsolute(named) ? named : join(homedir(), '.local', 'state'), 'verdict')
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return directory
  } catch {
    return undefined
  }
}

export function missing(place: string): LogError {
  return new LogError('log_missing', `there is no log at ${place}`)
}
