/** Events of the log as projections take them: decoded once, whoever folds them. */
import type { ProjectedEvent } from '../../projections/projection.ts'
import type { LogItem } from '../../projections/projector.ts'
import { CodecError, decodeTrusted } from '../event-store/event-codec.ts'
import type { StoredEvent } from '../event-store/event-store.ts'
import { type RegistryName, registryOfStream } from '../event-store/stream-names.ts'

const STREAM_NAMES_KEPT_MAX = 65_536

export class LogItems {
  readonly #names = new Map<string, RegistryName | undefined>()

  /** Undefined for an event that is not of a registry: it only moves the checkpoint. */
  of(stored: StoredEvent): LogItem | undefined {
    const { stream, revision, position } = stored
    const name = this.#nameOf(stream)
    if (name === undefined) return undefined
    try {
      const { event, metadata } = decodeTrusted(stored)
      return new EventItem(new ReadEvent(stored, name, event, metadata))
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      const isUnknownType = error.code === 'unknown_event_type' || error.code === 'unknown_event_version'
      return { type: 'undecodable', stream, revision, position, isUnknownType, message: error.message }
    }
  }

  #nameOf(stream: string): RegistryName | undefined {
    if (this.#names.has(stream)) return this.#names.get(stream)
    if (this.#names.size >= STREAM_NAMES_KEPT_MAX) this.#names.clear()
    const name = registryOfStream(stream)
    this.#names.set(stream, name)
    return name
  }
}

/**
 * Classes, and not literals: V8 makes literals among the old objects at once when it saw those of one place survive, and a dead
 * one there keeps all that it refers to until the next full collection.
 */
class EventItem {
  readonly type = 'event'
  readonly event: ProjectedEvent

  constructor(event: ProjectedEvent) {
    this.event = event
  }
}

class ReadEvent implements ProjectedEvent {
  readonly position: bigint
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly revision: number
  readonly event: ProjectedEvent['event']
  readonly metadata: ProjectedEvent['metadata']

  constructor(
    { position, stream, revision }: StoredEvent,
    { workspace, owner }: RegistryName,
    event: ProjectedEvent['event'],
    metadata: ProjectedEvent['metadata'],
  ) {
    this.position = position
    this.stream = stream
    this.workspace = workspace
    this.owner = owner
    this.revision = revision
    this.event = event
    this.metadata = metadata
  }
}
