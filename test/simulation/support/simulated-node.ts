/**
 * A machine with one node on it, composed as src/app.ts composes one: the real shell, reconciler, snapshots and read models over
 * the simulated log, by a clock that may be wrong. What lies on its disk outlives its process, most of the time.
 */
import type { ReadDatabase } from '../../../projections/read-database.ts'
import { DEFAULT_BOUNDS } from '../../../src/authority/bounds.ts'
import { DEFAULT_LIMITS } from '../../../src/authority/events.ts'
import { settingsOf } from '../../../src/config.ts'
import { OthersTime } from '../../../src/event-store/others-time.ts'
import { OwnAppends } from '../../../src/event-store/own-appends.ts'
import { memorySnapshotCache } from '../../../src/event-store/snapshot-cache.ts'
import { type AliveMarkStore, aliveMarkInMemory } from '../../../src/reconciler/alive-mark.ts'
import { Reconciler } from '../../../src/reconciler/reconciler.ts'
import { AdminStream } from '../../../src/shell/admin-stream.ts'
import { ReconcilerOrders } from '../../../src/shell/reconciler-orders.ts'
import { Shell } from '../../../src/shell/shell.ts'
import { NODE_OPTIONS } from '../../nodes/support/node-options.ts'
import type { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import type { SimulatedLog } from './simulated-log.ts'
import { openRows, SimulatedReadSide } from './simulated-read-side.ts'
import { Life, SimulatedClock, type SimulatedTime } from './simulated-time.ts'

const SETTINGS = settingsOf({
  ...NODE_OPTIONS.settings,
  unknownWaitMs: 3_000,
  reconcileSweepMs: 5_000,
  // Everybody may die at once here; that breakers hold is shown elsewhere.
  breakerOperationsMax: 1_000_000,
})

/** Of the rows of the read models and the snapshots, when a process dies. */
const LOSES_ITS_DISK = 0.1

export interface NodeParts {
  readonly time: SimulatedTime
  readonly log: SimulatedLog
  readonly chance: Chance
  readonly planted: PlantedFault | undefined
  /** What a node warned of, for the story. */
  readonly warn: (node: string, message: string) => void
}

export class SimulatedNode {
  readonly machine: string
  readonly #parts: NodeParts
  #offsetMs: number
  /** Crashes and pauses until now. */
  interruptions = 0
  #lives = 0
  #life: Life
  #clock: SimulatedClock
  #shell: Shell | undefined
  #rows = openRows()
  #snapshots = memorySnapshotCache()
  readonly #mark: AliveMarkStore = aliveMarkInMemory()

  constructor(machine: string, offsetMs: number, parts: NodeParts) {
    this.machine = machine
    this.#parts = parts
    this.#offsetMs = offsetMs
    this.#life = new Life(`${machine}.0`)
    this.#life.isOver = true
    this.#clock = new SimulatedClock(parts.time, this.#life, offsetMs)
  }

  get isUp(): boolean {
    return !this.#life.isOver
  }

  /** Whether it answers at the moment. */
  get isAwake(): boolean {
    return this.isUp && this.#life.pausedUntil <= this.#parts.time.now
  }

  /** Of this process; the next one on this machine has another. */
  get name(): string {
    return this.#life.name
  }

  get life(): Life {
    return this.#life
  }

  get clock(): SimulatedClock {
    return this.#clock
  }

  get rows(): ReadDatabase {
    return this.#rows
  }

  get shell(): Shell {
    if (this.#shell === undefined) throw new Error(`${this.machine} is down`)
    return this.#shell
  }

  start(): void {
    const { time, log, chance, planted, warn } = this.#parts
    const life = new Life(`${this.machine}.${++this.#lives}`)
    const clock = new SimulatedClock(time, life, this.#offsetMs)
    this.#life = life
    this.#clock = clock
    const warning = { warn: (_facts: object, message: string) => warn(life.name, message) }
    let told = 0n
    const tell = (position: bigint) => {
      if (position > told) told = position
    }
    const own = new OwnAppends(log.open(life), tell)
    const { store } = own
    let endAtFirst: Promise<void> | undefined
    const knownPosition = async () => {
      endAtFirst ??= store.end().then(tell)
      await endAtFirst.catch(() => {
        endAtFirst = undefined
      })
      return told
    }
    const othersTime = new OthersTime({ store, isOwn: (...args) => own.isOwn(...args), now: () => clock.now() })
    const random = chance.bytes
    const trustsClock = planted === 'trusts_a_wrong_clock'
    const shell = new Shell({
      store,
      snapshots: this.#snapshots,
      clock,
      random,
      salts: chance.salt,
      log: warning,
      unheard: () => reconciler.unheard,
      onDeadline: (dueAt) => reconciler.expect(dueAt),
      settings: {
        ...SETTINGS,
        bounds: { ...DEFAULT_BOUNDS, ...SETTINGS },
        clock,
        random,
        kinds: NODE_OPTIONS.kinds,
        limits: DEFAULT_LIMITS,
      },
    })
    const readSide = new SimulatedReadSide({ rows: this.#rows, reader: store, time, life, chance, planted })
    const reconciler: Reconciler = new Reconciler({
      ask: readSide.ask,
      rowsMade: async () => readSide.position,
      knownPosition,
      liveTime: () => (trustsClock ? undefined : othersTime.live),
      send: (...args) => shell.send(...args),
      clock,
      fraction: chance.fraction,
      settings: {
        ...SETTINGS,
        intervalMinMs: SETTINGS.reconcileIntervalMinMs,
        sweepMs: SETTINGS.reconcileSweepMs,
        clockSkewMaxMs: trustsClock ? Number.MAX_SAFE_INTEGER : SETTINGS.clockSkewMaxMs,
        breaker: { operationsMax: SETTINGS.breakerOperationsMax, shareMax: SETTINGS.breakerShareMax },
      },
      mark: planted === 'forgets_outages' ? aliveMarkInMemory() : this.#mark,
      isReachable: () => true,
      witnesses: {},
      modes: {},
      orders: new ReconcilerOrders(new AdminStream({ ...SETTINGS, store, clock, random, salts: chance.salt })),
      log: { ...warning, info: () => {} },
    })
    this.#shell = shell
    if (planted !== 'never_sweeps') reconciler.start()
    void readSide.follow()
  }

  /** At once, wherever it is: between any two things that it does. */
  crash(): void {
    this.#life.isOver = true
    this.#shell = undefined
    this.interruptions++
    this.#parts.log.forget(this.#life)
    const { chance } = this.#parts
    if (chance.is(LOSES_ITS_DISK)) this.#rows = openRows()
    if (chance.is(LOSES_ITS_DISK)) this.#snapshots = memorySnapshotCache()
  }

  pause(ms: number): void {
    this.interruptions++
    this.#life.pausedUntil = Math.max(this.#life.pausedUntil, this.#parts.time.now + ms)
  }

  /** Sets the machine's clock, from now on also for its next processes. */
  setClock(offsetMs: number): void {
    this.#offsetMs = offsetMs
    this.#clock.offsetMs = offsetMs
  }
}
