/**
 * The registries that are in memory on this node: opened when they are first asked for, followed while they are here, let
 * go, the longest unused first, when all of them together take more bytes than they may.
 */
import type { EventStore, LogHealth } from '../event-store/event-store.ts'
import { type HotParts, HotRegistry } from './hot-registry.ts'
import { keepSnapshot } from './registry-loader.ts'
import { RegistryReloads } from './registry-reloads.ts'

export interface RegistriesSettings {
  /** Bytes of all registries in memory, by estimate; those that somebody needs stay, whatever they take. */
  readonly hotBytesMax: number
  /** Events since the last snapshot that make a new one worth while, after loading and when a registry is let go. */
  readonly snapshotEvents: number
}

interface Entry {
  readonly registry: HotRegistry
  bytes: number
  usedAt: number
  /** What a load would begin from; undefined while this one is loading. */
  snapshotRevision: number | undefined
}

/** Let go until so much of the bound is left, so that not every load has to look for somebody. */
const LEFT_AFTER_LETTING_GO = 0.9
/** A snapshot costs as much as its registry is wide: one that is in use is snapshotted after so many events per record. */
const EVENTS_PER_RECORD = 16
/** Where everybody is needed, looking again soon would find the same. */
const LOOK_AGAIN_MS = 100

export class Registries {
  readonly #parts: Omit<HotParts, 'stream' | 'onMoved'>
  readonly #settings: RegistriesSettings
  readonly #hot = new Map<string, Entry>()
  readonly #closing = new Map<string, Promise<void>>()
  readonly #reloads: RegistryReloads
  readonly #unwatch: () => void
  #bytes = 0
  #uses = 0
  #lookAgainAt = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(parts: Omit<HotParts, 'stream' | 'onMoved'>, settings: RegistriesSettings) {
    this.#parts = parts
    this.#settings = settings
    this.#reloads = new RegistryReloads({ ...parts, ...settings })
    this.#unwatch = parts.store.watch((advance) => {
      if (advance.type === 'appended') this.#hot.get(advance.stream)?.registry.writer.advanced(advance.revision)
      else void this.#lookEverywhere(parts.store)
    })
  }

  get size(): number {
    return this.#hot.size
  }

  /** Of all registries in memory, by estimate. */
  get bytes(): number {
    return this.#bytes
  }

  /** How often one was loaded again soon after it was let go to make room, since this node was opened. */
  get reloads(): number {
    return this.#reloads.total
  }

  get health(): LogHealth {
    return this.#parts.store.health()
  }

  /**
   * The registry of a stream, which may still be loading; undefined when this node shuts down. At once, but for one that is
   * just being let go: so commands arrive at its writer in the order in which they were sent.
   */
  use(stream: string): HotRegistry | undefined | Promise<HotRegistry | undefined> {
    if (this.#isClosed) return undefined
    const known = this.#hot.get(stream)
    if (known !== undefined && known.registry.writer.failure === undefined) {
      known.usedAt = ++this.#uses
      return known.registry
    }
    const closing = this.#closing.get(stream)
    if (closing !== undefined) return closing.then(() => this.use(stream))
    if (known !== undefined) this.#forget(stream, known)
    return this.#open(stream)
  }

  /** Refuses what is new, finishes what is under way, keeps snapshots, tells everybody who waits. Twice is once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unwatch()
    for (const [stream, entry] of [...this.#hot]) this.#close(stream, entry)
    await Promise.all(this.#closing.values())
  }

  #open(stream: string): HotRegistry {
    this.#reloads.loading(stream)
    const onMoved = (registry: HotRegistry) => this.#moved(registry)
    const registry = new HotRegistry({ ...this.#parts, stream, onMoved })
    const entry: Entry = { registry, bytes: 0, usedAt: ++this.#uses, snapshotRevision: undefined }
    this.#hot.set(stream, entry)
    void registry.writer.loaded.then(() => this.#loaded(stream, entry))
    return registry
  }

  async #loaded(stream: string, entry: Entry): Promise<void> {
    const { writer } = entry.registry
    if (writer.failure !== undefined) {
      this.#forget(stream, entry)
      return
    }
    entry.snapshotRevision = writer.durable.state.revision - writer.eventsFolded
    this.#moved(entry.registry)
    // What took long to load is worth a snapshot now: a crash would not ask for one.
    await this.#snapshotWhenDue(stream, entry, this.#settings.snapshotEvents)
  }

  #moved(registry: HotRegistry): void {
    const entry = this.#hot.get(registry.stream)
    if (entry?.registry !== registry) return
    const { writer, stream } = registry
    const bytes = writer.bytes
    this.#bytes += bytes - entry.bytes
    entry.bytes = bytes
    const { operations, tombstones, commands, feed } = writer.durable.state
    const records = operations.size + tombstones.size + commands.size + feed.size
    void this.#snapshotWhenDue(stream, entry, Math.max(this.#settings.snapshotEvents, records * EVENTS_PER_RECORD))
    if (this.#bytes > this.#settings.hotBytesMax) this.#letGo()
  }

  #letGo(): void {
    const { clock } = this.#parts
    const now = clock.monotonicNow()
    if (now < this.#lookAgainAt) return
    const enough = this.#settings.hotBytesMax * LEFT_AFTER_LETTING_GO
    for (const [stream, entry] of [...this.#hot].sort(([, a], [, b]) => a.usedAt - b.usedAt)) {
      if (this.#bytes <= enough) break
      if (entry.registry.isNeeded) continue
      this.#close(stream, entry)
      this.#reloads.letGo(stream)
    }
    if (this.#bytes > this.#settings.hotBytesMax) this.#lookAgainAt = now + LOOK_AGAIN_MS
  }

  #forget(stream: string, entry: Entry): void {
    if (this.#hot.get(stream) !== entry) return
    this.#hot.delete(stream)
    this.#bytes -= entry.bytes
  }

  #close(stream: string, entry: Entry): void {
    this.#forget(stream, entry)
    const closing = this.#closeNow(stream, entry).finally(() => this.#closing.delete(stream))
    this.#closing.set(stream, closing)
  }

  async #closeNow(stream: string, entry: Entry): Promise<void> {
    await entry.registry.close()
    await this.#snapshotWhenDue(stream, entry, this.#settings.snapshotEvents)
  }

  /** A cache that can't be written, or a log that is away, costs time later, nothing else. */
  #snapshotWhenDue(stream: string, entry: Entry, events: number): Promise<void> | undefined {
    const { snapshots, store } = this.#parts
    const { durable, failure } = entry.registry.writer
    const { snapshotRevision } = entry
    if (snapshots === undefined || failure !== undefined || snapshotRevision === undefined) return undefined
    if (durable.state.revision - snapshotRevision < events) return undefined
    entry.snapshotRevision = durable.state.revision
    return keepSnapshot(store, stream, durable, snapshots).catch(() => undefined)
  }

  /** A notice may have been missed: every registry in memory looks at its head. */
  async #lookEverywhere(store: EventStore): Promise<void> {
    for (const [stream, { registry }] of [...this.#hot]) {
      const head = await store.head(stream).catch(() => undefined)
      if (head !== undefined) registry.writer.advanced(head.revision)
    }
  }
}
