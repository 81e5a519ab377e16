/**
 * A log on the far side of a network that can't be trusted: the store in memory, behind latency, refusals, lost and late appends,
 * lost answers and lost notices. Each node has a store of its own over it; what it has sent arrives although it dies.
 */
import {
  type Advance,
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  LogError,
  type NewEvent,
  type StoredEvent,
} from '../../../src/event-store/event-store.ts'
import { createMemoryLog, type MemoryLog, openMemoryStore } from '../../../src/event-store/memory.ts'
import type { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import { Life, type SimulatedTime } from './simulated-time.ts'

export interface LogWeather {
  readonly latency: { readonly usualMs: number; readonly slowMs: number }
  /** Shares of the appends. */
  readonly refused: number
  readonly unknown: number
  /** Shares of the reads and of the notices. */
  readonly unreadable: number
  readonly unnoticed: number
}

export const FAIR: LogWeather = {
  latency: { usualMs: 5, slowMs: 50 },
  refused: 0,
  unknown: 0,
  unreadable: 0,
  unnoticed: 0,
}

export const FOUL: LogWeather = {
  latency: { usualMs: 20, slowMs: 2_000 },
  refused: 0.03,
  unknown: 0.06,
  unreadable: 0.01,
  unnoticed: 0.05,
}

/** An append whose fate nobody was told may still arrive so much later. */
const LATE_MS_MAX = 4_000
const UNSURE_AFTER_MS = 3_000

export class SimulatedLog {
  readonly memory: MemoryLog = createMemoryLog()
  weather: LogWeather = FOUL
  readonly #time: SimulatedTime
  readonly #chance: Chance
  readonly #planted: PlantedFault | undefined
  /** What is on its way belongs to nobody. */
  readonly #network = new Life('network')
  readonly #stores = new Map<Life, EventStore>()

  constructor(time: SimulatedTime, chance: Chance, planted: PlantedFault | undefined) {
    this.#time = time
    this.#chance = chance
    this.#planted = planted
  }

  get events(): readonly StoredEvent[] {
    return this.memory.all
  }

  /** Whoever died hears of nothing any more. */
  forget(life: Life): void {
    const store = this.#stores.get(life)
    for (const one of this.memory.stores) if (one === store) this.memory.stores.delete(one)
    this.#stores.delete(life)
  }

  /** For one life of a node. */
  open(life: Life): EventStore {
    const store = openMemoryStore({ log: this.memory, now: () => this.#time.now, newLogId: () => 'simulated' })
    this.#stores.set(life, store)
    const read = async <T>(look: () => Promise<T>): Promise<T> => {
      await this.#travel(life)
      if (this.#chance.is(this.weather.unreadable)) throw new LogError('log_unavailable', 'made to be unreadable')
      return look()
    }
    const wrapped: EventStore = {
      identity: () => store.identity(),
      head: (stream) => read(() => store.head(stream)),
      end: () => read(() => store.end()),
      at: (position) => read(() => store.at(position)),
      readStream: (stream, options) => this.#afterTravel(life, () => store.readStream(stream, options)),
      readAll: (options) => this.#afterTravel(life, () => store.readAll(options)),
      follow: (options) => this.#slowly(life, store.follow(options)),
      watch: (listener) => this.#watch(life, store, listener),
      health: () => store.health(),
      append: (...args) => this.#append(life, store, ...args),
      close: () => store.close(),
    }
    return wrapped
  }

  async #append(
    life: Life,
    store: EventStore,
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult> {
    const { refused, unknown } = this.weather
    await this.#travel(this.#network)
    if (this.#chance.is(refused)) {
      await this.#travel(life)
      return { type: 'refused', reason: this.#chance.pick(['busy', 'unavailable', 'full']), message: 'made to fail' }
    }
    if (this.#chance.is(unknown)) {
      if (this.#chance.is(0.4)) await this.#store(store, stream, expected, events)
      else if (this.#chance.is(0.5)) {
        this.#time.after(this.#chance.between(0, LATE_MS_MAX), this.#network, () => {
          void this.#store(store, stream, expected, events)
        })
      }
      await this.#travel(life)
      return { type: 'unknown', message: 'made to be unknown' }
    }
    const result = await this.#store(store, stream, expected, events)
    await this.#travel(life)
    const isStored = result.type === 'acknowledged'
    if (isStored && this.#planted === 'calls_stored_refused' && this.#chance.is(0.05)) {
      return { type: 'refused', reason: 'busy', message: 'planted' }
    }
    return result
  }

  /** The log itself, and where faults are planted into it. */
  async #store(
    store: EventStore,
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult> {
    const { streams, all } = this.memory
    const at = expected === 'no_stream' ? 0 : expected + 1
    const acknowledged = (): AppendResult => ({
      type: 'acknowledged',
      revision: at + events.length - 1,
      position: BigInt(all.length),
    })
    switch (this.#planted) {
      case 'acknowledges_what_it_lost':
        if (this.#chance.is(0.02)) return acknowledged()
        break
      case 'appends_anywhere':
      case 'forgets_what_it_stored': {
        const stored = streams.get(stream) ?? []
        const isAgain = stored.some(({ id }) => id === events[0]?.id)
        const isPlanted = this.#planted === 'appends_anywhere' ? !isAgain : isAgain
        if (!isPlanted || stored.length <= at) break
        return this.#force(stream, events)
      }
    }
    return store.append(stream, expected, events)
  }

  #force(stream: string, events: readonly NewEvent[]): AppendResult {
    const { streams, all } = this.memory
    const stored = streams.get(stream) ?? []
    for (const event of events) {
      const placed = { ...event, stream, revision: stored.length, position: BigInt(all.length + 1) }
      stored.push(placed)
      all.push(placed)
    }
    return { type: 'acknowledged', revision: stored.length - 1, position: BigInt(all.length) }
  }

  #watch(life: Life, store: EventStore, listener: (advance: Advance) => void): () => void {
    if (this.#planted === 'tells_nobody') return () => {}
    let isStopped = false
    const tell = (ms: number, advance: Advance) =>
      this.#time.after(ms, life, () => {
        if (!isStopped) listener(advance)
      })
    let last = 0
    const stop = store.watch((advance) => {
      if (this.#chance.is(this.weather.unnoticed)) {
        tell(UNSURE_AFTER_MS, { type: 'unsure' })
        return
      }
      // In order per stream, so in order.
      last = Math.max(last, this.#time.now + this.#chance.latency(this.weather.latency))
      tell(last - this.#time.now, advance)
    })
    return () => {
      isStopped = true
      stop()
    }
  }

  async *#afterTravel<T>(life: Life, read: () => AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    await this.#travel(life)
    if (this.#chance.is(this.weather.unreadable)) throw new LogError('log_unavailable', 'made to be unreadable')
    yield* read()
  }

  async *#slowly<T extends { readonly type: string }>(
    life: Life,
    items: AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    for await (const item of items) {
      if (item.type === 'caught_up') await this.#travel(life)
      yield item
    }
  }

  #travel(life: Life): Promise<void> {
    return this.#time.passing(this.#chance.latency(this.weather.latency), life)
  }
}
