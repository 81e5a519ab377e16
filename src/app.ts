/**
 * Composition: the only file that knows everyone. Opens a log, puts the shell over it, and hands out the API for embedding.
 *
 *     openVerdict -> store (SQLite file or memory) -> shell -> door -> Verdict
 */

import { existsSync } from 'node:fs'
import { DEFAULT_BOUNDS } from './authority/bounds.ts'
import { DEFAULT_LIMITS, type Limits, limitsSchema } from './authority/events.ts'
import { type KindDefinition, type KindDefinitions, kindDefinitionSchema, kindViolations } from './authority/kinds.ts'
import type { VerdictDoor } from './client/door.ts'
import { type KindOptions, kindOf } from './client/kind-options.ts'
import { OperationRejected } from './client/operation-errors.ts'
import { Verdict, type VerdictDefaults } from './client/verdict.ts'
import { type Settings, SettingsError, type SettingsInput, settingsOf } from './config.ts'
import { type EventStore, LogError } from './event-store/event-store.ts'
import { isEventStoreDbAddress, withoutPassword } from './event-store/eventstoredb-address.ts'
import { openMemoryStore } from './event-store/memory.ts'
import { memorySnapshotCache, type SnapshotCache } from './event-store/snapshot-cache.ts'
import { openSqliteStore } from './event-store/sqlite.ts'
import { openSnapshotCache } from './event-store/sqlite-snapshot-cache.ts'
import { type Clock, SYSTEM_CLOCK } from './runtime/clock.ts'
import { type RandomSource, systemRandom } from './runtime/ids.ts'
import { createLogger } from './runtime/logger.ts'
import { ProcessHold } from './runtime/process-hold.ts'
import { Shell } from './shell/shell.ts'

export interface OpenOptions extends VerdictDefaults {
  readonly settings?: SettingsInput
  /** What is known of kinds of operations; others live by the defaults. */
  readonly kinds?: Readonly<Record<string, KindOptions>>
  /** For registries that open without limits of their own. */
  readonly limits?: Partial<Limits>
  /** Refuses (LogError `log_missing`) to begin a log where there is none; by default it is begun. */
  readonly mustExist?: boolean
  readonly clock?: Clock
  readonly random?: RandomSource
}

/** A node over a log: the door, and the log under it for those who replay and verify. */
export interface EmbeddedNode {
  readonly door: VerdictDoor
  readonly store: EventStore
}

/** `memory:` keeps everything in this process and nowhere else. */
export const MEMORY_LOCATION = 'memory:'
/** What it is called by those who know SQLite, to whom it must not be a file of that name. */
const MEMORY_LOCATION_OF_SQLITE = ':memory:'

/**
 * Verdict over a log: a file (`sqlite:PATH` or just the path), made when it is missing, `esdb://...` for an EventStoreDB, or
 * `memory:`. What is acknowledged is on disk. Throws LogError for a log that can't be opened, SettingsError for settings or
 * kinds that contradict themselves.
 */
export async function openVerdict(location: string, options: OpenOptions = {}): Promise<Verdict> {
  assertOptions(options)
  const { log = createLogger(settingsOf(options.settings).logLevel) } = options
  const { door } = await openNode(location, { ...options, log })
  return new Verdict(door, { ...options, log })
}

/** The same, one floor lower: for tools that need the log itself. */
export async function openNode(location: string, options: OpenOptions = {}): Promise<EmbeddedNode> {
  assertOptions(options)
  const settings = settingsOf(options.settings)
  const kinds = checkedKinds(options.kinds ?? {}, settings)
  const limits = checkedLimits(options.limits ?? {})
  const {
    clock = SYSTEM_CLOCK,
    random = systemRandom(),
    log = createLogger(settings.logLevel),
    mustExist = false,
  } = options
  const { store, snapshots } = await openLog(placeOf(location), mustExist, settings.lockWaitMs, clock)
  const shell = new Shell({
    store,
    snapshots,
    clock,
    random,
    log,
    settings: {
      ...settings,
      bounds: { ...DEFAULT_BOUNDS, ...settings },
      clock,
      random,
      kinds,
      limits,
    },
  })
  return { store, door: embeddedDoor(shell, store, snapshots) }
}

interface OpenLog {
  readonly store: EventStore
  readonly snapshots: SnapshotCache
}

async function openLog(place: LogPlace, mustExist: boolean, lockWaitMs: number, clock: Clock): Promise<OpenLog> {
  const now = () => clock.now()
  switch (place.type) {
    case 'memory':
      if (mustExist) throw missing(MEMORY_LOCATION)
      return { store: openMemoryStore({ now }), snapshots: memorySnapshotCache() }
    case 'eventstoredb': {
      const { address } = place
      // Its client takes longer to load than everything else together.
      const { openEventStoreDb } = await import('./event-store/eventstoredb.ts')
      const store = await openEventStoreDb({ connectionString: address, mustExist, now })
      return { store, snapshots: memorySnapshotCache() }
    }
    case 'file': {
      const { path } = place
      if (mustExist && !existsSync(path)) throw missing(path)
      const store = await openSqliteStore({ path, lockWaitMs, now })
      return { store, snapshots: openSnapshotCache(`${path}-snapshots`) }
    }
    default:
      return place satisfies never
  }
}

function missing(place: string): LogError {
  return new LogError('log_missing', `there is no log at ${place}`)
}

type LogPlace =
  | { readonly type: 'memory' }
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'eventstoredb'; readonly address: string }

/** Throws SettingsError, without the password that an address may hold. */
function placeOf(location: string): LogPlace {
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
      `a log is at a path, sqlite:PATH, memory: or esdb://host:port, got "${shownLocation(path)}"`,
    )
  }
  return { type: 'file', path }
}

/** A location as people and logs may see it: without the password that an address may hold. */
export function shownLocation(location: string): string {
  return withoutPassword(location)
}

/** The shell as it is, for as long as somebody waits for it; closing it closes what it stands on, in order. */
function embeddedDoor(shell: Shell, store: EventStore, snapshots: SnapshotCache): VerdictDoor {
  const hold = new ProcessHold()
  return {
    send: (...args) => hold.during(shell.send(...args)),
    snapshot: (...args) => hold.during(shell.snapshot(...args)),
    list: (...args) => hold.during(shell.list(...args)),
    overview: (...args) => hold.during(shell.overview(...args)),
    outcome: (...args) => hold.during(shell.outcome(...args)),
    wait: (...args) => hold.during(shell.wait(...args)),
    completions: (...args) => hold.during(shell.completions(...args)),
    cursor: (...args) => hold.during(shell.cursor(...args)),
    moveCursor: (...args) => hold.during(shell.moveCursor(...args)),
    collect: (...args) => hold.during(shell.collect(...args)),
    history: (...args) => hold.during(shell.history(...args)),
    onLease: (...args) => shell.onLease(...args),
    async close() {
      await hold.during(shell.close())
      await hold.during(store.close())
      snapshots.close()
      hold.close()
    },
  }
}

/** Stored with each registry that opens, for ever: what does not fit would stop it when it is read again. */
function checkedLimits(given: Partial<Limits>): Limits {
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  const parsed = limitsSchema.safeParse({ ...DEFAULT_LIMITS, ...Object.fromEntries(named) })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = ['limits', ...(issue?.path ?? [])].map(String).join('.')
  throw new SettingsError(`${path}: ${issue?.message ?? 'not valid'}`)
}

/** Everything that contradicts itself is told at once: whoever tunes numbers should not meet them one by one. */
function checkedKinds(options: NonNullable<OpenOptions['kinds']>, settings: Settings): KindDefinitions {
  const kinds = Object.fromEntries(Object.entries(options).map(([kind, one]) => [kind, checkedKind(kind, one)]))
  const violations = kindViolations(kinds, settings)
  if (violations.length > 0) throw new SettingsError(violations.map(({ message }) => message).join('\n'))
  return kinds
}

function checkedKind(kind: string, options: KindOptions): KindDefinition {
  try {
    const parsed = kindDefinitionSchema.safeParse(kindOf(options))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    throw new SettingsError(
      `kind "${kind}": ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
    )
  } catch (error) {
    if (error instanceof OperationRejected) throw new SettingsError(`kind "${kind}": ${error.message}`)
    throw error
  }
}

/** An option under a name that is not known would be one that is silently not followed. */
function assertOptions(options: OpenOptions): void {
  assertObject('options', options)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new SettingsError(`there is no option "${name}": it is one of ${Object.keys(OPTIONS).join(', ')}`)
    }
  }
  for (const name of ['settings', 'kinds', 'limits', 'worker'] as const) {
    if (options[name] !== undefined) assertObject(name, options[name])
  }
}

const OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  workspace: true,
  owner: true,
  actor: true,
  worker: true,
  log: true,
  clock: true,
  newId: true,
  settings: true,
  kinds: true,
  limits: true,
  random: true,
  mustExist: true,
}

function assertObject(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new SettingsError(`${name}: expected an object, got ${Array.isArray(value) ? 'a list' : String(value)}`)
}
