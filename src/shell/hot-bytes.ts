/**
 * What a registry takes in memory: its records by count, at what `bench fold` measured for one of each, and what people
 * and programs wrote into the operations that it holds, counted as it was stored.
 */
import type { LifecycleEvent } from '../authority/events.ts'
import type { JsonValue } from '../authority/json-value.ts'
import type { Operation } from '../authority/operation.ts'
import type { PersistentMap } from '../authority/persistent-map.ts'
import type { RegistryState, Wait } from '../authority/registry.ts'

const BYTES = { registry: 4_096, operation: 1_024, tombstone: 512, command: 384, feedRow: 256, wait: 512, member: 192 }
/** The text around a content that says nothing: salt, names, braces. */
const EMPTY_CONTENT_LENGTH = `{"salt":"${'0'.repeat(32)}","value":{}}`.length

export class HotBytes {
  /** Content by number of its operation. */
  readonly #contents = new Map<number, number>()
  /** A progress message takes the place of the one before it. */
  readonly #messages = new Map<number, number>()
  #content = 0
  #waits: PersistentMap<string, Wait> | undefined
  #endedWaits: PersistentMap<string, Wait> | undefined
  #waitBytes = 0

  /** Begins anew with what a state holds. */
  count({ operations }: RegistryState): void {
    this.#contents.clear()
    this.#messages.clear()
    this.#content = 0
    for (const operation of operations.values()) this.#grow(this.#contents, operation.number, contentLength(operation))
  }

  add(event: LifecycleEvent, revision: number, storedLength: number): void {
    const length = storedLength - EMPTY_CONTENT_LENGTH
    if (length <= 0) return
    if (event.type === 'OperationRegistered') this.#grow(this.#contents, revision, length)
    else if (!('number' in event.facts)) return
    else if (event.type === 'ProgressReported') {
      const { number } = event.facts
      this.#content -= this.#messages.get(number) ?? 0
      this.#messages.delete(number)
      this.#grow(this.#messages, number, length)
    } else this.#grow(this.#contents, event.facts.number, length)
  }

  /** The operation is let go. */
  drop(number: number): void {
    this.#content -= (this.#contents.get(number) ?? 0) + (this.#messages.get(number) ?? 0)
    this.#contents.delete(number)
    this.#messages.delete(number)
  }

  total(state: RegistryState): number {
    const { operations, tombstones, commands, feed, waits, endedWaits } = state
    if (waits !== this.#waits || endedWaits !== this.#endedWaits) {
      this.#waits = waits
      this.#endedWaits = endedWaits
      this.#waitBytes = bytesOfWaits(waits) + bytesOfWaits(endedWaits)
    }
    return (
      BYTES.registry +
      operations.size * BYTES.operation +
      tombstones.size * BYTES.tombstone +
      commands.size * BYTES.command +
      feed.size * BYTES.feedRow +
      this.#waitBytes +
      this.#content
    )
  }

  #grow(map: Map<number, number>, number: number, bytes: number): void {
    map.set(number, (map.get(number) ?? 0) + bytes)
    this.#content += bytes
  }
}

function bytesOfWaits(waits: PersistentMap<string, Wait>): number {
  let bytes = 0
  for (const { members } of waits.values()) bytes += BYTES.wait + members.length * BYTES.member
  return bytes
}

function contentLength(operation: Operation): number {
  const { name, source, input, labels, peer, progress, phases, cancel, lastError, outcome } = operation
  const written = [name, source, input, labels, peer, progress.message, phases, cancel?.reason, lastError, outcome]
  // All of these are JSON values or records of them.
  return written.reduce<number>((length, value) => length + jsonLength(value as JsonValue | undefined), 0)
}

/** About the length of the JSON text, without making it. */
function jsonLength(value: JsonValue | undefined): number {
  if (value === undefined) return 0
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 8
  let length = 2
  if (Array.isArray(value)) for (const one of value) length += jsonLength(one) + 1
  else for (const [key, one] of Object.entries(value)) length += key.length + 4 + jsonLength(one)
  return length
}
