/** Answers from what is durable, at or beyond the head of the stream as of the question. An error is an error, never an empty list. */
import type { LifecycleEvent } from '../authority/events.ts'
import { fold, numbersOf } from '../authority/evolve.ts'
import { graceMsFor } from '../authority/grace.ts'
import type { Operation } from '../authority/operation.ts'
import { viewOf } from '../authority/operation-view.ts'
import type { HistoryEntry, OperationSnapshot, RegistryOverview } from '../authority/questions.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../authority/registry.ts'
import { decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader } from '../event-store/event-store.ts'
import type { RegistryName } from '../event-store/stream-names.ts'
import type { HotRegistry } from './hot-registry.ts'
import { stoppedBy } from './registry-loader.ts'
import { type NodeParts, withRegistry } from './shell-parts.ts'

export function snapshot(parts: NodeParts, name: RegistryName, id: string): Promise<OperationSnapshot | undefined> {
  return withRegistry(parts, name, (registry) => {
    const operation = registry.writer.durable.state.operations.get(id)
    return operation === undefined ? undefined : snapshotOf(parts, name, registry, operation)
  })
}

/** What a decision would be made on by now, at or beyond the head of the stream. */
export function registryState(parts: NodeParts, name: RegistryName): Promise<RegistryState> {
  return withRegistry(parts, name, ({ writer }) => writer.durable.state)
}

export function list(parts: NodeParts, name: RegistryName): Promise<readonly OperationSnapshot[]> {
  return withRegistry(parts, name, (registry) => {
    const operations = [...registry.writer.durable.state.operations.values()].sort((a, b) => a.number - b.number)
    return operations.map((operation) => snapshotOf(parts, name, registry, operation))
  })
}

export function overview(parts: NodeParts, name: RegistryName): Promise<RegistryOverview> {
  return withRegistry(parts, name, ({ writer }) => {
    const { registryId, limits, retired, activeCount, retained, waits, sequence, revision } = writer.durable.state
    return {
      workspace: name.workspace,
      owner: name.owner,
      limits,
      retired: retired !== undefined,
      active: activeCount,
      retained: retained.size,
      waits: waits.size,
      watermark: sequence,
      revision,
      ...(registryId === undefined ? {} : { registryId }),
    }
  })
}

export function history(parts: NodeParts, name: RegistryName, id: string): Promise<readonly HistoryEntry[]> {
  return withRegistry(parts, name, async ({ writer, stream }) => {
    const { state } = writer.durable
    const target = state.operations.get(id) ?? state.tombstones.get(id)
    if (target === undefined) return []
    const { number } = target
    const entries: HistoryEntry[] = []
    // Not beyond what is durable here: an event whose append is not acknowledged is shown to nobody.
    for await (const stored of parts.store.readStream(stream, { from: number, limit: state.revision - number + 1 })) {
      try {
        const { event, metadata, revision } = decodeEvent(stored)
        if (concerns(event, revision, number)) entries.push({ revision, position: stored.position, event, metadata })
      } catch (error) {
        throw stoppedBy(stream, error)
      }
    }
    return entries
  })
}

export function snapshotOf(
  { clock, unheard = () => [] }: NodeParts,
  { workspace, owner }: RegistryName,
  { watchers }: HotRegistry,
  operation: Operation,
): OperationSnapshot {
  const now = clock.now()
  const view = viewOf(operation, now, graceMsFor(operation, unheard(), now))
  return { ...view, workspace, owner, watchers: watchers.count(operation.number) }
}

/** The state as of a revision, folded anew. */
export async function stateAt(reader: EventReader, stream: string, revision: number): Promise<RegistryState> {
  let state = EMPTY_REGISTRY
  for await (const stored of reader.readStream(stream, { limit: revision + 1 })) {
    try {
      state = fold(state, [decodeEvent(stored)])
    } catch (error) {
      throw stoppedBy(stream, error)
    }
  }
  return state
}

/** Whether an event is part of one operation's story. */
function concerns(event: LifecycleEvent, revision: number, number: number): boolean {
  switch (event.type) {
    case 'OperationRegistered':
      return revision === number
    case 'OwnerTerminated':
      return numbersOf(event).includes(number)
    case 'SignsOfLifeRecorded':
      return event.facts.signs.some(([signed]) => signed === number)
    case 'WaitBegan':
      return event.facts.numbers.includes(number)
    default:
      return 'number' in event.facts && event.facts.number === number
  }
}
