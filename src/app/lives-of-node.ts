/**
 * One operation looked at closely: what is ahead of it, and its life in time. The registry tells of those that it holds; of
 * others, and of what nobody keeps, the log is read from their registration on.
 */
import { graceMsFor, type UnheardTime } from '../authority/grace.ts'
import type { KindDefinitions } from '../authority/kinds.ts'
import type { Operation } from '../authority/operation.ts'
import { livesTouchedBy } from '../authority/operation-life.ts'
import { type OperationOutlook, outlookOf, type PreparedVerdict, type ReconcilerIntent } from '../authority/outlook.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { RegistryState } from '../authority/registry.ts'
import { type OperationTimeline, TimelineFold } from '../authority/timeline.ts'
import { decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { registryStream } from '../event-store/stream-names.ts'
import type { Clock } from '../runtime/clock.ts'

export interface LivesParts {
  readonly store: EventReader
  readonly clock: Clock
  readonly kinds: KindDefinitions
  readonly stateOf: (registry: RegistryAddress) => Promise<RegistryState>
  /** Time in which nobody could be heard. */
  readonly unheard: () => readonly UnheardTime[]
  readonly intentOf: (kind: string) => ReconcilerIntent
  /** The verdict that may be spoken over it now; undefined where no deadline has passed. */
  readonly verdictOf: (registry: RegistryAddress, operation: Operation, now: number) => PreparedVerdict | undefined
}

export interface Lives {
  outlook(registry: RegistryAddress, id: string, number?: number): Promise<OperationOutlook | undefined>
  timeline(registry: RegistryAddress, id: string, number?: number): Promise<OperationTimeline | undefined>
}

/** Events of its owner's stream that are read for one operation. */
const EVENTS_READ_MAX = 50_000

export function livesOf({ store, clock, kinds, stateOf, unheard, intentOf, verdictOf }: LivesParts): Lives {
  return {
    async outlook(registry, id, number) {
      const state = await stateOf(registry)
      const held = state.operations.get(id)
      const isHeld = held !== undefined && (number === undefined || held.number === number)
      const operation = isHeld ? held : (await read(registry, state, id, number))?.fold.operation
      if (operation === undefined) return undefined
      const now = clock.now()
      return outlookOf(registry, {
        operation,
        state,
        kinds,
        now,
        graceMs: graceMsFor(operation, unheard(), now),
        reconciler: intentOf(operation.kind),
        verdict: operation.outcome === undefined ? verdictOf(registry, operation, now) : undefined,
      })
    },
    async timeline(registry, id, number) {
      const state = await stateOf(registry)
      const found = await read(registry, state, id, number)
      const told = found?.fold.told(found.isWhole ? clock.now() : found.readUntilAt)
      if (found === undefined || told === undefined) return undefined
      const { workspace, owner } = registry
      return { workspace, owner, id, number: found.number, isWhole: found.isWhole, ...told }
    },
  }

  /** Its life from the log, not beyond what is durable; undefined for one that never was. */
  async function read(registry: RegistryAddress, state: RegistryState, id: string, wanted: number | undefined) {
    const stream = registryStream(registry)
    const number =
      wanted ?? (state.operations.get(id) ?? state.tombstones.get(id))?.number ?? (await newest(stream, id))
    if (number === undefined) return undefined
    const fold = new TimelineFold(number)
    const last = Math.min(state.revision, number + EVENTS_READ_MAX - 1)
    let readUntilAt = 0
    for await (const stored of store.readStream(stream, { from: number, limit: Math.max(0, last - number + 1) })) {
      const recorded = decodeEvent(stored)
      readUntilAt = recorded.metadata.at
      if (recorded.revision === number) {
        const { event } = recorded
        if (event.type !== 'OperationRegistered' || event.facts.id !== id) return undefined
      }
      if (livesTouchedBy(recorded).includes(number)) fold.take(recorded)
    }
    const isWhole = last === state.revision || fold.operation?.outcome !== undefined
    return fold.operation === undefined ? undefined : { number, fold, isWhole, readUntilAt }
  }

  /** The newest life of an id of which the registry keeps nothing any more. */
  async function newest(stream: string, id: string): Promise<number | undefined> {
    let number: number | undefined
    for await (const stored of store.readStream(stream, {})) {
      const { event, revision } = decodeEvent(stored)
      if (event.type === 'OperationRegistered' && event.facts.id === id) number = revision
    }
    return number
  }
}
