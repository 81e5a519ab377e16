/**
 * The registries that are in memory on this node: opened when they are first asked for, followed while they are here, let
 * go, the longest unused first, when all of them together take more bytes than they may.
 */
import type { EventStore, LogHealth } from '../event-store/event-store.ts'
import { type HotParts, HotRegistry } from './hot-registry.ts'
import { keepSnapshot } from './registry-loader.ts'

export interface RegistriesSettings {
  /** Bytes of all registries in memory that nobody needs at the moment, by estimate. */
  readonly hotBytesMax: number
  /** A registry is snapshotted when it is let go with at least so many events since the last snapshot. */
  readonly snapshotEvents: number
}

export class Registries {
  readonly #parts: Omit<HotParts, 'stream'>
  readonly #settings: RegistriesSettings
  /** By stream, the longest unused first. */
  readonly #hot = new Map<string, HotRegistry>()
  readonly #closing = new Map<string, Promise<void>>()
  readonly #snapshotted = new Map<string, number>()
  readonly #unwatch: () => void
  #isClosed = false

  constructor(parts: Omit<HotParts, 'stream'>, settings: RegistriesSettings) {
    this.#parts = parts
    this.#settings = settings
    this.#unwatch = parts.store.watch((advance) => {
      if (advance.type === 'appended') this.#hot.get(advance.stream)?.writer.advanced(advance.revision)
      else void this.#lookEverywhere(parts.store)
    })
  }

  get size(): number {
    return this.#hot.size
  }

  get health(): LogHealth {
    return this.#parts.store.health()
  }

  /** The registry of a stream, from memory or from the log; undefined when this node shuts down. */
  async get(stream: string): Promise<HotRegistry | undefined> {
    for (;;) {
      if (this.#isClosed) return undefined
      const known = this.#hot.get(stream)
      if (known !== undefined) return this.#use(stream, known)
      const closing = this.#closing.get(stream)
      if (closing === undefined) break
      await closing
    }
    const registry = new HotRegistry({ ...this.#parts, stream })
    this.#use(stream, registry)
    await registry.writer.loaded
    if (registry.writer.stopped === undefined) this.#snapshotted.set(stream, registry.writer.durable.state.revision)
    else this.#hot.delete(stream)
    this.#letGo()
    return registry
  }

  /** Refuses what is new, finishes what is under way, keeps snapshots, tells everybody who waits. Twice is once. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unwatch()
    const closing = [...this.#hot].map(([stream, registry]) => this.#close(stream, registry))
    await Promise.all([...closing, ...this.#closing.values()])
  }

  /** The most recently used last, so that the first ones are the ones to let go. */
  #use(stream: string, registry: HotRegistry): HotRegistry {
    this.#hot.delete(stream)
    this.#hot.set(stream, registry)
    return registry
  }

  #letGo(): void {
    let bytes = 0
    for (const { writer } of this.#hot.values()) bytes += writer.bytes
    for (const [stream, registry] of this.#hot) {
      if (bytes <= this.#settings.hotBytesMax) return
      if (registry.isNeeded) continue
      bytes -= registry.writer.bytes
      void this.#close(stream, registry)
    }
  }

  #close(stream: string, registry: HotRegistry): Promise<void> {
    const closing = this.#closing.get(stream) ?? this.#closeNow(stream, registry)
    this.#closing.set(stream, closing)
    return closing
  }

  async #closeNow(stream: string, registry: HotRegistry): Promise<void> {
    this.#hot.delete(stream)
    await registry.close()
    await this.#snapshot(stream, registry)
    this.#closing.delete(stream)
    this.#snapshotted.delete(stream)
  }

  async #snapshot(stream: string, { writer }: HotRegistry): Promise<void> {
    const { snapshots, store } = this.#parts
    const since = writer.durable.state.revision - (this.#snapshotted.get(stream) ?? -1)
    if (snapshots === undefined || writer.stopped !== undefined || since < this.#settings.snapshotEvents) return
    await keepSnapshot(store, stream, writer.durable, snapshots)
  }

  /** A notice may have been missed: every registry in memory looks at its head. */
  async #lookEverywhere(store: EventStore): Promise<void> {
    for (const [stream, { writer }] of [...this.#hot]) {
      const head = await store.head(stream).catch(() => undefined)
      if (head !== undefined) writer.advanced(head.revision)
    }
  }
}
