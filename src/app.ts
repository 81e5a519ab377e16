/**
 * Composition: the only file that knows everyone. Opens a log, puts the shell over it, and hands out the API for embedding.
 *
 *     openVerdict -> store (SQLite file or memory) -> shell -> door -> Verdict
 *                      '-> read side, on threads of its own (read-side-thread.ts)
 *                      '-> events -> active operations -> reconciler -> shell
 */
import { DEFAULT_BOUNDS } from './authority/bounds.ts'
import { DEFAULT_LIMITS, type Limits, limitsSchema } from './authority/events.ts'
import { type KindDefinition, type KindDefinitions, kindDefinitionSchema, kindViolations } from './authority/kinds.ts'
import { DEFAULT_POLICY, type Policy, resolvePolicy } from './authority/lifecycle-policy.ts'
import type { EventsRequest } from './authority/questions.ts'
import type { EventsAnswer, ServedDoor } from './client/door.ts'
import { type KindOptions, kindOf } from './client/kind-options.ts'
import type { MonitoringDoor } from './client/monitoring-door.ts'
import { OperationRejected } from './client/operation-errors.ts'
import { Verdict, type VerdictDefaults } from './client/verdict.ts'
import { type Settings, SettingsError, type SettingsInput, settingsOf } from './config.ts'
import { randomSalts } from './event-store/event-codec.ts'
import type { EventReader, EventStore } from './event-store/event-store.ts'
import { OthersTime } from './event-store/others-time.ts'
import { OwnAppends } from './event-store/own-appends.ts'
import type { SnapshotCache } from './event-store/snapshot-cache.ts'
import { type Lives, livesOf } from './lives-of-node.ts'
import { logForThreads } from './log-for-threads.ts'
import { openLog, placeOf } from './log-of-node.ts'
import { monitoringOf } from './monitoring-of-node.ts'
import { livenessQuestion, type ReadModelOptions, readSideOf } from './read-side-of-node.ts'
import { aliveMarkFile, aliveMarkInMemory } from './reconciler/alive-mark.ts'
import { verdictNow } from './reconciler/judgement.ts'
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
import { AdminStream } from './shell/admin-stream.ts'
import { ReconcilerOrders } from './shell/reconciler-orders.ts'
import { Shell } from './shell/shell.ts'
import { LiveEvents } from './subscriptions/live-events.ts'
import type { ParametersOf, Question, QuestionFunction } from './subscriptions/question.ts'
import type { AskOptions, ReadAnswer, ReadSide } from './subscriptions/read-side.ts'
import type { WebhookDesk } from './subscriptions/webhook-desk.ts'
import { checkedWebhooks, type WebhookOptions, webhooksOf } from './webhooks-of-node.ts'

export interface OpenOptions extends VerdictDefaults {
  readonly settings?: SettingsInput
  /** What is known of kinds of operations; others live by the defaults. */
  readonly kinds?: Readonly<Record<string, KindOptions>>
  /** For registries that open without limits of their own. */
  readonly limits?: Partial<Limits>
  /** Refuses (LogError `log_missing`) to begin a log where there is none; by default it is begun. */
  readonly mustExist?: boolean
  readonly readModels?: ReadModelOptions
  /** Given, this process tells events to endpoints: its own and those that were added by command. */
  readonly webhooks?: WebhookOptions
  readonly clock?: Clock
  readonly random?: RandomSource
  /** Judges whoever does not speak for itself any more; on by default, `false` for a process that leaves it to others. */
  readonly reconciler?: ReconcilerOptions | false
}

export interface ReconcilerOptions {
  /** How far it goes with a kind; default `enforce`. What an operator put on record in the log counts more. */
  readonly modes?: Readonly<Record<string, Mode>>
  /** Who may know more of a kind's operations than their silence tells. */
  readonly witnesses?: Readonly<Record<string, Witness>>
  /**
   * Path of a small file that tells the next process since when nobody could be heard. Default: beside the file of the log;
   * for a log on a server in `verdict` of the user's state directory (XDG_STATE_HOME, ~/.local/state), by the log's id. Name one on
   * a disk that stays where that does not outlive the process, as in a container.
   */
  readonly aliveMark?: string
}

/** The API with the reconciler of its node. */
export class EmbeddedVerdict extends Verdict {
  readonly reconciler: Reconciler
  /** The log under it, to be read. */
  readonly log: EventReader
  readonly #reconcile: EmbeddedNode['reconcile']
  readonly #ask: EmbeddedNode['ask']

  constructor(
    {
      door,
      store,
      reconciler,
      reconcile,
      ask,
    }: Pick<EmbeddedNode, 'door' | 'store' | 'reconciler' | 'reconcile' | 'ask'>,
    defaults: VerdictDefaults = {},
  ) {
    super(door, defaults)
    this.reconciler = reconciler
    this.log = store
    this.#reconcile = reconcile
    this.#ask = ask
  }

  /**
   * One pass of the reconciler now, within a scope: operations whose deadline has passed end, or get their next attempt. Gives
   * back counts; a second pass finds nothing to do.
   */
  reconcile(request: PassRequest = {}): Promise<PassReport> {
    return this.#reconcile(request)
  }

  /**
   * Asks the rows of a projection: a function that its module exports, run where the rows lie, within one moment. Without a position
   * of its own the question sees what was answered here before. Throws ReadSideError, and what the function throws as a QuestionError.
   */
  ask<F extends QuestionFunction>(
    question: Question<F>,
    parameters: ParametersOf<F>,
    options?: AskOptions,
  ): Promise<ReadAnswer<ReturnType<F>>> {
    return this.#ask(question, parameters, options)
  }
}

/** A node over a log: the door, and the log under it for those who replay and verify. */
export interface EmbeddedNode {
  readonly door: ServedDoor
  readonly store: EventStore
  /** What is on record of operators and keys. */
  readonly admin: AdminStream
  /** Not started: it passes when it is asked to, or from its start on. */
  readonly reconciler: Reconciler
  /** One pass now; the process stays for its end. */
  readonly reconcile: (request?: PassRequest) => Promise<PassReport>
  /** The events of the log, for whoever wants to be told of them. */
  readonly events: LiveEvents
  /** A question at or behind what callers of this node were told. */
  readonly ask: ReadSide['ask']
  /** Read models, health, rebuilds. Nothing of it runs before it is first asked, or told to start. */
  readonly readSide: ReadSide
  /** Endpoints of webhooks, deliveries, replays: for operators. */
  readonly webhooks: (path?: string) => WebhookDesk
  /** Tells how long each append took until it was acknowledged. */
  readonly onAppend: (listener: (ms: number) => void) => void
  /** Tells how long each flush to disk took, where the log flushes by itself. */
  readonly onFlush: (listener: (ms: number) => void) => void
}

/**
 * Verdict over a log: a file (`sqlite:PATH` or just the path), made when it is missing, `esdb://...` for an EventStoreDB, or
 * `memory:`. What is acknowledged is on disk. Throws LogError for a log that can't be opened, SettingsError for settings or
 * kinds that contradict themselves.
 */
export async function openVerdict(location: string, options: OpenOptions = {}): Promise<EmbeddedVerdict> {
  assertOptions(options)
  const { log = createLogger(settingsOf(options.settings).logLevel) } = options
  const node = await openNode(location, { ...options, log, readModels: { follow: 'at_start', ...options.readModels } })
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
  const endpoints = checkedWebhooks(place, options.webhooks)
  const { store: opened, snapshots, beside } = await openLog(place, mustExist, settings.lockWaitMs, clock)
  const threads = logForThreads(opened, place)
  const webhooks = await webhooksOf({ store: opened, place, settings, clock, log, threads }, endpoints).catch(
    async (error: unknown) => {
      await opened.close()
      snapshots.close()
      throw error
    },
  )
  const { readSide, tell, toldUpTo, release } = readSideOf(
    { store: opened, beside, settings, log, threads },
    options.readModels,
  )
  const appendListeners = new Set<(ms: number) => void>()
  const own = new OwnAppends(opened, (position, ms) => {
    tell(position)
    threads.appended()
    for (const listener of appendListeners) listener(ms)
  })
  const { store } = own
  const othersTime = new OthersTime({ store, isOwn: (...args) => own.isOwn(...args), now: () => clock.now() })
  const shell = new Shell({
    store,
    snapshots,
    clock,
    random,
    log,
    unheard: () => reconciler.unheard,
    onDeadline: (dueAt) => reconciler.expect(dueAt),
    settings: {
      ...settings,
      bounds: { ...DEFAULT_BOUNDS, ...settings },
      clock,
      random,
      kinds,
      limits,
    },
  })
  const admin = new AdminStream({ ...settings, store, clock, random, salts: randomSalts() })
  const { modes = {}, witnesses = {}, aliveMark = beside && `${beside}-alive` } = options.reconciler || {}
  const reconciler: Reconciler = new Reconciler({
    ask: (name, parameters, options) =>
      readSide.ask(livenessQuestion(name), parameters, { ...options, isBackground: true }),
    rowsMade: async (signal) => {
      const health = await readSide.health(signal)
      const liveness = health.find(({ projection }) => projection === 'liveness')
      return liveness?.rebuild?.position ?? liveness?.position
    },
    knownPosition: toldUpTo,
    liveTime: () => othersTime.live,
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
    orders: new ReconcilerOrders(admin),
    log: withInfo(log),
  })
  const hold = new ProcessHold()
  const events = new LiveEvents({ reader: store, log })
  const monitoring = monitoringOf({ readSide, store, clock, unheard: () => reconciler.unheard, toldUpTo })
  const lives = livesOf({
    store,
    clock,
    kinds,
    stateOf: (registry) => shell.registryState(registry),
    unheard: () => reconciler.unheard,
    intentOf: (kind) => ({
      mode: reconciler.modeOf(kind),
      isHeld: reconciler.status.breakers.some((breaker) => breaker.kind === kind),
      isAway: options.reconciler === false,
    }),
    verdictOf: (registry, operation, now) =>
      verdictNow(registry, operation, { now, unheard: reconciler.unheard, fraction: fractionOf(random) }),
  })
  const door = embeddedDoor({ shell, store, snapshots, events, hold, monitoring, lives, tell }, async () => {
    await Promise.all([reconciler.stop(), readSide.close(), webhooks.close()])
    othersTime.close()
    release()
  })
  if (options.readModels?.follow === 'at_start') readSide.startSoon()
  return {
    store,
    door,
    events,
    readSide,
    webhooks: webhooks.desk,
    admin,
    reconciler,
    reconcile: (request) => hold.during(reconciler.reconcile(request)),
    ask: async (question, parameters, asked) =>
      readSide.ask(question, parameters, { ...asked, atLeast: asked?.atLeast ?? (await toldUpTo()) }),
    onAppend: (listener) => void appendListeners.add(listener),
    onFlush: (listener) => opened.onFlush?.(listener),
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

interface DoorParts {
  readonly shell: Shell
  readonly store: EventStore
  readonly snapshots: SnapshotCache
  readonly events: LiveEvents
  readonly hold: ProcessHold
  readonly monitoring: MonitoringDoor
  readonly lives: Lives
  /** Told how far a caller knows of the log. */
  readonly tell: (position: bigint) => void
}

/** The shell as it is, for as long as somebody waits for it; closing it closes what it stands on, in order. */
function embeddedDoor(
  { shell, store, snapshots, events, hold, monitoring, lives, tell }: DoorParts,
  closeWhatWatches: () => Promise<void>,
): ServedDoor {
  return {
    async send(...args) {
      const result = await hold.during(shell.send(...args))
      tell(result.type === 'answered' ? result.answer.position : result.place.position)
      return result
    },
    snapshot: (...args) => hold.during(shell.snapshot(...args)),
    overview: (...args) => hold.during(shell.overview(...args)),
    outcome: (...args) => hold.during(shell.outcome(...args)),
    wait: (...args) => hold.during(shell.wait(...args)),
    waitStanding: (...args) => hold.during(shell.waitStanding(...args)),
    completions: (...args) => hold.during(shell.completions(...args)),
    cursor: (...args) => hold.during(shell.cursor(...args)),
    moveCursor: (...args) => hold.during(shell.moveCursor(...args)),
    collect: (...args) => hold.during(shell.collect(...args)),
    history: (...args) => hold.during(shell.history(...args)),
    onLease: (...args) => shell.onLease(...args),
    events: (request, signal) => heldEvents(events, request, signal, hold),
    monitoring,
    outlook: (...args) => hold.during(lives.outlook(...args)),
    timeline: (...args) => hold.during(lives.timeline(...args)),
    async close() {
      await hold.during(closeWhatWatches())
      await hold.during(shell.close())
      await hold.during(store.close())
      snapshots.close()
      hold.close()
    },
  }
}

/** What was read as it is shown; the process stays for as long as somebody waits for the next. */
async function* heldEvents(
  events: LiveEvents,
  request: EventsRequest,
  signal: AbortSignal,
  hold: ProcessHold,
): AsyncGenerator<EventsAnswer, void, undefined> {
  const batches = events.batches(request, signal)
  try {
    for (;;) {
      const { done, value } = await hold.during(batches.next())
      if (done) return
      if (value.type !== 'events') yield value
      else yield { type: 'events', events: value.entries.map(({ live }) => live), isCaughtUp: value.isCaughtUp }
    }
  } finally {
    await batches.return()
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
  for (const name of ['settings', 'kinds', 'limits', 'worker', 'webhooks'] as const) {
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
  webhooks: true,
}

function assertObject(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new SettingsError(`${name}: expected an object, got ${Array.isArray(value) ? 'a list' : String(value)}`)
}
