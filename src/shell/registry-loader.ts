/**
 * From the log to a registry's state: a snapshot if one fits, then every event since, each checked against the chain before
 * it is folded. Fails closed: a history that is broken or contradicts itself stops its registry with a named error and never
 * gives a fresh empty one; other registries go on.
 */
import type { RecordedEvent } from '../authority/events.ts'
import { ContradictoryHistory, fold } from '../authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../authority/registry.ts'
import { type PlainRegistry, plainOf, registryOf, SNAPSHOT_SCHEMA } from '../authority/registry-snapshot.ts'
import { CodecError, decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader, LogIdentity, StoredEvent } from '../event-store/event-store.ts'
import { type ChainPoint, chainFault, GENESIS_HASH } from '../event-store/hash-chain.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'

/** A registry as of one event: what was folded, and where in the log that is. */
export interface LoadedRegistry {
  readonly state: RegistryState
  readonly hash: string
  readonly position: bigint
}

export const UNOPENED: LoadedRegistry = { state: EMPTY_REGISTRY, hash: GENESIS_HASH, position: 0n }

/** The history of one registry can't be trusted; nothing is decided or read from it until somebody looks. */
export class RegistryStopped extends Error {
  override readonly name = 'RegistryStopped'
  readonly code = 'registry_stopped'
  readonly stream: string

  constructor(stream: string, message: string, options?: ErrorOptions) {
    super(`registry ${stream} is stopped: ${message}`, options)
    this.stream = stream
  }
}

export interface CaughtUp {
  readonly loaded: LoadedRegistry
  readonly events: readonly RecordedEvent[]
}

const EVENTS_PER_FOLD = 512

/** The registry up to the end of its stream. Throws RegistryStopped and LogError. */
export async function loadRegistry(
  reader: EventReader,
  stream: string,
  snapshots: SnapshotCache | undefined,
): Promise<LoadedRegistry> {
  let loaded = (await restoredSnapshot(reader, stream, snapshots)) ?? UNOPENED
  let batch: StoredEvent[] = []
  for await (const stored of reader.readStream(stream, { from: loaded.state.revision + 1 })) {
    batch.push(stored)
    if (batch.length < EVENTS_PER_FOLD) continue
    loaded = foldStored(stream, loaded, batch).loaded
    batch = []
  }
  return batch.length === 0 ? loaded : foldStored(stream, loaded, batch).loaded
}

/** What others appended since: the events one by one, for their effects. Throws RegistryStopped and LogError. */
export async function readOn(
  reader: EventReader,
  stream: string,
  loaded: LoadedRegistry,
): Promise<readonly StoredEvent[]> {
  const stored: StoredEvent[] = []
  for await (const event of reader.readStream(stream, { from: loaded.state.revision + 1 })) stored.push(event)
  return stored
}

/** Checks and folds stored events. Throws RegistryStopped. */
export function foldStored(stream: string, loaded: LoadedRegistry, stored: readonly StoredEvent[]): CaughtUp {
  try {
    const events = decodeChained(stream, loaded, stored)
    const last = stored.at(-1)
    if (last === undefined) return { loaded, events }
    return { loaded: { state: fold(loaded.state, events), hash: last.hash, position: last.position }, events }
  } catch (error) {
    throw stoppedBy(stream, error)
  }
}

/** Stored events as they are folded, after their place in the chain was checked. Throws RegistryStopped. */
export function decodeChained(
  stream: string,
  { state, hash }: Pick<LoadedRegistry, 'state' | 'hash'>,
  stored: readonly StoredEvent[],
): readonly RecordedEvent[] {
  let point: ChainPoint | undefined = state.revision === -1 ? undefined : { revision: state.revision, hash }
  return stored.map((event) => {
    const fault = chainFault(event, point)
    if (fault !== undefined) throw new RegistryStopped(stream, fault.message)
    point = { revision: event.revision, hash: event.hash }
    return decodeEvent(event)
  })
}

function stoppedBy(stream: string, error: unknown): unknown {
  if (error instanceof CodecError || error instanceof ContradictoryHistory) {
    return new RegistryStopped(stream, error.message, { cause: error })
  }
  return error
}

/** A snapshot is believed only when the log still has, at its revision, the event that it was taken behind. */
async function restoredSnapshot(
  reader: EventReader,
  stream: string,
  snapshots: SnapshotCache | undefined,
): Promise<LoadedRegistry | undefined> {
  const found = snapshots?.load(stream)
  if (found === undefined || found.schema !== SNAPSHOT_SCHEMA) return undefined
  const { logId, timeline }: LogIdentity = await reader.identity()
  if (found.logId !== logId || found.timeline !== timeline || found.stream !== stream) return undefined
  for await (const event of reader.readStream(stream, { from: found.revision, limit: 1 })) {
    if (event.revision !== found.revision || event.hash !== found.hash) return undefined
    const state = restoredState(found.state)
    return state === undefined || state.revision !== found.revision
      ? undefined
      : { state, hash: event.hash, position: event.position }
  }
  return undefined
}

function restoredState(text: string): RegistryState | undefined {
  try {
    // The cache was written by plainOf under this schema; whatever else it may hold is not worth more than a new fold.
    return registryOf(JSON.parse(text) as PlainRegistry)
  } catch {
    return undefined
  }
}

/** Keeps a snapshot of what is durable; a cache that cannot be written costs time later, nothing else. */
export async function keepSnapshot(
  reader: EventReader,
  stream: string,
  { state, hash }: LoadedRegistry,
  snapshots: SnapshotCache,
): Promise<void> {
  if (state.revision === -1) return
  const { logId, timeline } = await reader.identity()
  const { revision } = state
  snapshots.save({
    logId,
    timeline,
    stream,
    revision,
    hash,
    schema: SNAPSHOT_SCHEMA,
    state: JSON.stringify(plainOf(state)),
  })
}
