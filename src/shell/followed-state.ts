/**
 * What is durable of one registry, as this node knows it: moved forward by its own acknowledged appends and by what others
 * appended, one event after the other. Per event: the state is published, then its effects run.
 */
import type { Effect } from '../authority/effects.ts'
import type { RecordedEvent } from '../authority/events.ts'
import { step } from '../authority/evolve.ts'
import type { RegistryState } from '../authority/registry.ts'
import type { EventReader, StoredEvent } from '../event-store/event-store.ts'
import { HotBytes } from './hot-bytes.ts'
import { decodeChained, type LoadedRegistry, stoppedBy, storedInChunks, UNOPENED } from './registry-loader.ts'

/** Must not throw. */
export type RunEffect = (effect: Effect, state: RegistryState) => void

interface Reader {
  readonly revision: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class FollowedState {
  readonly bytes = new HotBytes()
  readonly #reader: EventReader
  readonly #stream: string
  readonly #runEffect: RunEffect
  #durable: LoadedRegistry = UNOPENED
  #readers: Reader[] = []

  constructor(reader: EventReader, stream: string, runEffect: RunEffect) {
    this.#reader = reader
    this.#stream = stream
    this.#runEffect = runEffect
  }

  get durable(): LoadedRegistry {
    return this.#durable
  }

  get revision(): number {
    return this.#durable.state.revision
  }

  /** A state that was folded elsewhere: no effects. */
  begin(loaded: LoadedRegistry): void {
    this.#durable = loaded
    this.bytes.count(loaded.state)
    this.#wake()
  }

  /** One durable event more. Readers are woken by `published`, when all of its append are. */
  publish(
    { event, revision }: RecordedEvent,
    contentLength: number,
    loaded: LoadedRegistry,
    effects: readonly Effect[],
  ): void {
    this.#durable = loaded
    this.bytes.add(event, revision, contentLength)
    for (const effect of effects) {
      if (effect.type === 'EvictRecord' || effect.type === 'CloseWatchers') this.bytes.drop(effect.number)
      this.#runEffect(effect, loaded.state)
    }
  }

  published(): void {
    this.#wake()
  }

  /** Folds what others appended, with its effects. Throws RegistryStopped and LogError; what was folded stays. */
  async readOn(): Promise<void> {
    const from = this.revision + 1
    for await (const chunk of storedInChunks(this.#reader, this.#stream, from)) this.#fold(chunk)
    this.#wake()
  }

  /** Ends as soon as this revision is durable here, or when readers are let go. */
  reached(revision: number): Promise<void> {
    if (this.revision >= revision) return Promise.resolve()
    return new Promise((resolve, reject) => this.#readers.push({ revision, resolve, reject }))
  }

  /** Nobody knows when more will be durable: readers take what is. */
  letReadersGo(): void {
    for (const { resolve } of this.#readers.splice(0)) resolve()
  }

  failReaders(error: Error): void {
    for (const { reject } of this.#readers.splice(0)) reject(error)
  }

  #fold(chunk: readonly StoredEvent[]): void {
    try {
      decodeChained(this.#stream, this.#durable, chunk).forEach((recorded, i) => {
        const { hash, position, content } = chunk[i] as StoredEvent
        const { state, effects } = step(this.#durable.state, recorded)
        this.publish(recorded, content.length, { state, hash, position }, effects)
      })
    } catch (error) {
      throw stoppedBy(this.#stream, error)
    }
  }

  #wake(): void {
    if (this.#readers.length === 0) return
    const waiting = this.#readers
    this.#readers = waiting.filter(({ revision }) => revision > this.revision)
    for (const { revision, resolve } of waiting) if (revision <= this.revision) resolve()
  }
}
