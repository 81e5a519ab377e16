/**
 * Composition: the only file that knows everyone. Opens a log, puts the shell over it, and hands out the API for embedding.
 *
 *     openVerdict -> store (SQLite file or memory) -> shell -> door -> Verdict
 *                      '-> read side, on threads of its own (read-side-thread.ts)
 *                      '-> events -> active operations -> reconciler -> shell
 */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { DEFAULT_BOUNDS } from './authority/bounds.ts'
import { DEFAULT_LIMITS, type Limits, limitsSchema } from './authority/events.ts'
import { type KindDefinition, type KindDefinitions, kindDefinitionSchema, kindViolations } from './authority/kinds.ts'
import { DEFAULT_POLICY, type Policy, resolvePolicy } from './authority/lifecycle-policy.ts'
import type { VerdictDoor } from './client/door.ts'
import { type KindOptions, kindOf } from './client/kind-options.ts'
import { OperationRejected } from './client/operation-errors.ts'
import { Verdict, type VerdictDefaults } from './client/verdict.ts'
import { type Settings, SettingsError, type SettingsInput, settingsOf } from './config.ts'
import { decodeEvent } from './event-store/event-codec.ts'
import { type AppendResult, type EventStore, LogError } from './event-store/event-store.ts'
import { isEventStoreDbAddress, withoutPassword } from './event-store/eventstoredb-address.ts'
import { openMemoryStore } from './event-store/memory.ts'
import { serveLog } from './event-store/port-log-reader.ts'
import { memorySnapshotCache, type SnapshotCache } from './event-store/snapshot-cache.ts'
import { openSqliteStore } from './event-store/sqlite.ts'
import { openSnapshotCache } from './event-store/sqlite-snapshot-cache.ts'
import { REGISTRY_PREFIX, registryOfStream } from './event-store/stream-names.ts'
import { aliveMarkFile, aliveMarkInMemory } from './reconciler/alive-mark.ts'
import { FollowedOperations } from './reconciler/followed-operations.ts'
import type { Mode } from './reconciler/modes.ts'
import type { PassRequest } from './reconciler/pass.ts'
import type { PassReport } from './reconciler/pass-report.ts'
import { Reconciler, type ReconcilerLog } from './reconciler/reconciler.ts'
import type { Witness } from './reconciler/witness.ts'
import { type Clock, SYSTEM_CLOCK } from './runtime/clock.ts'
import { type RandomSource, systemRandom } from './runtime/ids.ts'
import { createLogger } from './runtime/logger.ts'
import { ProcessHold } from './runtime/process-hold.ts'
import type { WarningLog } from './runtime/warning-log.ts'
import { Shell } from './shell/shell.ts'
import type { ModuleExport } from './subscriptions/question.ts'
import { ReadSide } from './subscriptions/read-side.ts'

export interface OpenOptions extends VerdictDefaults {
  readonly settings?: SettingsInput
  /** What is known of kinds of operations; others live by the defaults. */
  readonly kinds?: Readonly<Record<string, KindOptions>>
  /** For registries that open without limits of their own. */
  readonly limits?: Partial<Limits>
  /** Refuses (LogError `log_missing`) to begin a log where there is none; by default it is begun. */
  readonly mustExist?: boolean
  readonly readModels?: ReadModelOptions
  readonly clock?: Clock
  readonly random?: RandomSource
  /** Judges whoever does not speak for itself any more; on by default, `false` for a process that leaves it to others. */
  readonly reconciler?: ReconcilerOptions | false
}

export interface ReconcilerOptions {
  /** How far it goes with a kind; default `enforce`. */
  readonly modes?: Readonly<Record<string, Mode>>
  /** Who may know more of a kind's operations than their silence tells. */
  readonly witnesses?: Readonly<Record<string, Witness>>
  /**
   * Path of a small file that tells the next process since when nobody could be heard; default: beside the file of the log.
   * A log on a server has none unless it is named: then no time without a process is known of.
   */
  readonly aliveMark?: string
}

/** The API with the reconciler of its node. */
export class EmbeddedVerdict extends Verdict {
  readonly reconciler: Reconciler
  readonly #reconcile: EmbeddedNode['reconcile']

  constructor({ door, reconciler, reconcile }: Omit<EmbeddedNode, 'store'>, defaults: VerdictDefaults = {}) {
    super(door, defaults)
    this.reconciler = reconciler
    this.#reconcile = reconcile
  }

  /**
   * One pass of the reconciler now, within a scope: operations whose deadline has passed end, or get their next attempt. Gives
   * back counts; a second pass finds nothing to do.
   */
  reconcile(request: PassRequest = {}): Promise<PassReport> {
    return this.#reconcile(request)
  }
}

/** A node over a log: the door, and the log under it for those who replay and verify. */
export interface EmbeddedNode {
  readonly door: VerdictDoor
  readonly store: EventStore
  /** Not started: it passes when it is asked to, or from its start on. */
  readonly reconciler: Reconciler
  /** One pass now; the process stays for its end. */
  readonly reconcile: (request?: PassRequest) => Promise<PassReport>
  /** Read models, health, rebuilds. Nothing of it runs before it is first asked, or told to start. */
  readonly readSide: ReadSide
}

export interface ReadModelOptions {
  /** The file of the read models. Default: `<log>-views` beside a log on disk, a temporary one for any other. */
  readonly path?: string
  /** Follow from the beginning instead of from the first question on; or never, and only tell how things stand. */
  readonly follow?: 'at_start' | 'when_asked' | 'never'
  /** Projections of one's own, beside those that come with Verdict. */
  readonly projections?: readonly ModuleExport[]
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
export async function openVerdict(location: string, options: OpenOptions = {}): Promise<EmbeddedVerdict> {
  assertOptions(options)
  const { log = createLogger(settingsOf(options.settings).logLevel) } = options
  const node = await openNode(location, { ...options, log })
  if (options.reconciler !== false) node.reconciler.start()
  return new EmbeddedVerdict(node, { ...options, log })
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
  const place = placeOf(location)
  const { store: opened, snapshots, markPath } = await openLog(place, mustExist, settings.lockWaitMs, clock)
  const { readSide, appended, release } = readSideOf(opened, place, settings, log, options.readModels)
  const store = tellingAppends(opened, appended)
  const shell = new Shell({
    store,
    snapshots,
    clock,
    random,
    log,
    unheard: () => reconciler.unheard,
    settings: {
      ...settings,
      bounds: { ...DEFAULT_BOUNDS, ...settings },
      clock,
      random,
      kinds,
      limits,
    },
  })
  const { modes = {}, witnesses = {}, aliveMark = markPath } = options.reconciler || {}
  const closing = new AbortController()
  const reconciler: Reconciler = new Reconciler({
    candidates: new FollowedOperations((operations) => void followInto(operations, store, clock, closing.signal)),
    send: (...args) => shell.send(...args),
    clock,
    fraction: () => fractionOf(random),
    settings: {
      ...settings,
      intervalMinMs: settings.reconcileIntervalMinMs,
      sweepMs: settings.reconcileSweepMs,
      breaker: { operationsMax: settings.breakerOperationsMax, shareMax: settings.breakerShareMax },
    },
    mark: aliveMark === undefined ? aliveMarkInMemory() : aliveMarkFile(aliveMark),
    isReachable: () => store.health().status === 'ok',
    witnesses,
    modes,
    log: withInfo(log),
  })
  const hold = new ProcessHold()
  const door = embeddedDoor(shell, store, snapshots, hold, async () => {
    await Promise.all([reconciler.stop(), readSide.close()])
    closing.abort()
    release()
  })
  if (options.readModels?.follow === 'at_start') readSide.start()
  return { store, door, readSide, reconciler, reconcile: (request) => hold.during(reconciler.reconcile(request)) }
}

/** Gives the events of all registries as they come, for as long as the log is open. */
async function followInto(
  operations: FollowedOperations,
  store: EventStore,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let isLive = false
  try {
    for await (const item of store.follow({ prefixes: [REGISTRY_PREFIX], signal })) {
      if (item.type === 'caught_up') {
        isLive = true
        operations.caughtUp(item.position)
        continue
      }
      const { event: stored } = item
      const name = registryOfStream(stored.stream)
      if (name === undefined) continue
      try {
        operations.apply(stored.stream, name, decodeEvent(stored), isLive ? clock.now() : undefined)
      } catch {
        operations.park(stored.stream)
      }
    }
  } catch (error) {
    operations.fail(error)
  }
}

/** A log that takes only warnings is told nothing else. */
function withInfo(log: WarningLog & Partial<ReconcilerLog>): ReconcilerLog {
  return { warn: (...args) => log.warn(...args), info: (...args) => log.info?.(...args) }
}

/** From 0 to 1. */
function fractionOf(random: RandomSource): number {
  const bytes = new Uint8Array(4)
  random(bytes)
  return new DataView(bytes.buffer).getUint32(0) / 2 ** 32
}

interface OpenLog {
  readonly store: EventStore
  readonly snapshots: SnapshotCache
  /** Of the mark that tells the next process when this one could last be heard. */
  readonly markPath?: string
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
      return { store, snapshots: openSnapshotCache(`${path}-snapshots`), markPath: `${path}-alive` }
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

/** The read side over the same log, on threads of its own; none of them runs yet. */
function readSideOf(
  store: EventStore,
  place: LogPlace,
  settings: Settings,
  log: WarningLog,
  { path, follow = 'when_asked', projections = [] }: ReadModelOptions = {},
): { readonly readSide: ReadSide; appended(): void; release(): void } {
  const nudges = new SharedArrayBuffer(4)
  const served = new Set<ReturnType<typeof serveLog>>()
  // Of no use to anybody after this process: made when it is first written, taken away at the end.
  const temporary = join(tmpdir(), `verdict-views-${randomUUID()}`)
  const readSide = new ReadSide({
    path: path ?? (place.type === 'file' ? `${place.path}-views` : join(temporary, 'views.db')),
    projections: [...builtInProjections(), ...projections],
    settings,
    holder: randomUUID(),
    mode: follow === 'never' ? 'watch' : 'follow',
    log,
    startThread: (data) => {
      const entry = new URL(`./read-side-thread.${SOURCE_EXTENSION}`, import.meta.url)
      const transferList = data.log.type === 'port' ? [data.log.port] : []
      return new Worker(entry, { workerData: data, transferList, name: `read-side-${data.role}`, execArgv: [] })
    },
    placeOfLog: () => {
      if (place.type === 'file') return { place: { type: 'sqlite', path: place.path, nudges }, release: () => {} }
      if (place.type === 'eventstoredb') {
        return { place: { type: 'eventstoredb', connectionString: place.address }, release: () => {} }
      }
      const { port1, port2 } = new MessageChannel()
      const serving = serveLog(store, port1)
      served.add(serving)
      const release = () => {
        served.delete(serving)
        serving.stop()
      }
      return { place: { type: 'port', port: port2 }, release }
    },
  })
  const signal = new Int32Array(nudges)
  return {
    readSide,
    appended() {
      Atomics.add(signal, 0, 1)
      Atomics.notify(signal, 0)
      for (const serving of served) serving.appended()
    },
    release() {
      rmSync(temporary, { recursive: true, force: true })
    },
  }
}

/** Modules are named as they lie beside this one, in the sources and in the built package. */
const SOURCE_EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

function builtInProjections(): readonly ModuleExport[] {
  return BUILT_IN_PROJECTIONS.map(([file, name]) => ({
    module: new URL(`../projections/${file}.${SOURCE_EXTENSION}`, import.meta.url).href,
    name,
  }))
}

const BUILT_IN_PROJECTIONS = [
  ['operation-index', 'OPERATION_INDEX'],
  ['operation-history', 'OPERATION_HISTORY'],
  ['liveness', 'LIVENESS'],
  ['registries', 'REGISTRIES'],
  ['rates', 'RATES'],
] as const

/** The same store; whoever follows it in this process is told of each append at once. */
function tellingAppends(store: EventStore, appended: () => void): EventStore {
  return {
    identity: () => store.identity(),
    head: (stream) => store.head(stream),
    end: () => store.end(),
    at: (position) => store.at(position),
    readStream: (stream, options) => store.readStream(stream, options),
    readAll: (options) => store.readAll(options),
    follow: (options) => store.follow(options),
    watch: (listener) => store.watch(listener),
    health: () => store.health(),
    close: () => store.close(),
    append: (stream, expected, events) => told(store.append(stream, expected, events)),
    ...(store.turn === undefined
      ? {}
      : {
          turn: (fn) =>
            store.turn?.((appender) =>
              fn({ append: (stream, expected, events) => told(appender.append(stream, expected, events)) }),
            ) as ReturnType<typeof fn>,
        }),
  }

  async function told(appending: Promise<AppendResult>): Promise<AppendResult> {
    const result = await appending
    if (result.type === 'acknowledged') appended()
    return result
  }
}

/** The shell as it is, for as long as somebody waits for it; closing it closes what it stands on, in order. */
function embeddedDoor(
  shell: Shell,
  store: EventStore,
  snapshots: SnapshotCache,
  hold: ProcessHold,
  closeWhatWatches: () => Promise<void>,
): VerdictDoor {
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
      await hold.during(closeWhatWatches())
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

/**
 * The policy of each kind as it will be stored with its operations, and that of all others under `*`. Throws SettingsError for
 * options that contradict themselves, with all that is wrong with the kinds.
 */
export function effectivePolicies(options: OpenOptions): Readonly<Record<string, Policy>> {
  assertOptions(options)
  const kinds = checkedKinds(options.kinds ?? {}, settingsOf(options.settings))
  checkedLimits(options.limits ?? {})
  const policies = Object.entries(kinds).map(([kind, { policy }]) => [kind, resolvePolicy(DEFAULT_POLICY, policy)])
  return { ...Object.fromEntries(policies), '*': DEFAULT_POLICY }
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
  reconciler: true,
  readModels: true,
}

function assertObject(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new SettingsError(`${name}: expected an object, got ${Array.isArray(value) ? 'a list' : String(value)}`)
}
