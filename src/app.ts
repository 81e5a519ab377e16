/**
 * Composition: the only file that knows everyone; its parts are in app/. Opens a log, puts the shell over it, and hands out the
 * API for embedding.
 *
 *     openVerdict -> store (SQLite file or memory) -> shell -> door -> Verdict
 *                      '-> read side, on threads of its own (app/read-side-thread.ts)
 *                      '-> events -> active operations -> reconciler -> shell
 */
import { embeddedDoor } from './app/embedded-door.ts'
import type { EmbeddedNode } from './app/embedded-node.ts'
import { EmbeddedVerdict } from './app/embedded-verdict.ts'
import { livesOf } from './app/lives-of-node.ts'
import { logForThreads } from './app/log-for-threads.ts'
import { openLog, placeOf } from './app/log-of-node.ts'
import { monitoringOf } from './app/monitoring-of-node.ts'
import { checkedOptions, type OpenOptions } from './app/open-options.ts'
import { livenessQuestion, readSideOf } from './app/read-side-of-node.ts'
import { checkedWebhooks, webhooksOf } from './app/webhooks-of-node.ts'
import { DEFAULT_BOUNDS } from './authority/bounds.ts'
import { randomSalts } from './event-store/event-codec.ts'
import { OthersTime } from './event-store/others-time.ts'
import { OwnAppends } from './event-store/own-appends.ts'
import { aliveMarkFile, aliveMarkInMemory } from './reconciler/alive-mark.ts'
import { verdictNow } from './reconciler/judgement.ts'
import { Reconciler, type ReconcilerLog } from './reconciler/reconciler.ts'
import { SYSTEM_CLOCK } from './runtime/clock.ts'
import { type RandomSource, systemRandom } from './runtime/ids.ts'
import { createLogger } from './runtime/logger.ts'
import { ProcessHold } from './runtime/process-hold.ts'
import type { WarningLog } from './runtime/warning-log.ts'
import { AdminStream } from './shell/admin-stream.ts'
import { ReconcilerOrders } from './shell/reconciler-orders.ts'
import { Shell } from './shell/shell.ts'
import { LiveEvents } from './subscriptions/live-events.ts'

/**
 * Verdict over a log: a file (`sqlite:PATH` or just the path), made when it is missing, `esdb://...` for an EventStoreDB, or
 * `memory:`. What is acknowledged is on disk. Throws LogError for a log that can't be opened, SettingsError for settings or
 * kinds that contradict themselves.
 */
export async function openVerdict(location: string, options: OpenOptions = {}): Promise<EmbeddedVerdict> {
  const { settings } = checkedOptions(options)
  const { log = createLogger(settings.logLevel) } = options
  const node = await openNode(location, { ...options, log, readModels: { follow: 'at_start', ...options.readModels } })
  if (options.reconciler !== false) node.reconciler.start()
  return new EmbeddedVerdict(node, { ...options, log })
}

/** The same, one floor lower: for tools that need the log itself. */
export async function openNode(location: string, options: OpenOptions = {}): Promise<EmbeddedNode> {
  const { settings, kinds, limits } = checkedOptions(options)
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
    hot: () => shell.hot,
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
