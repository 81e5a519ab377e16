/**
 * From the log to a registry's state: a snapshot if one fits, then every event since, each checked against the chain before
 * it is folded. Fails closed: a history that is broken or contradicts itself stops its registry with a named error and never
 * gives a fresh empty one; other registries go on.
 */
import { hash } from 'node:crypto'
import type { RecordedEvent } from '../authority/events.ts'
import { ContradictoryHistory, fold } from '../authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../authority/registry.ts'
import { type PlainRegistry, plainOf, registryOf, SNAPSHOT_SCHEMA } from '../authority/registry-snapshot.ts'
import { CodecError, decodeEvent } from '../event-store/event-codec.ts'
import {
  type EventReader,
  LogError,
  type LogErrorCode,
  type LogIdentity,
  type StoredEvent,
} from '../event-store/event-store.ts'
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

const EVENTS_PER_FOLD = 512

/** A registry with the number of events that a snapshot would have saved to fold. */
export interface FreshlyLoaded {
  readonly loaded: LoadedRegistry
  readonly eventsFolded: number
}

/** The registry up to the end of its stream. Throws RegistryStopped and LogError. */
export async function loadRegistry(
  reader: EventReader,
  stream: string,
  snapshots: SnapshotCache | undefined,
): Promise<FreshlyLoaded> {
  const restored = await restoredSnapshot(reader, stream, snapshots)
  if (restored === undefined) return foldAll(reader, stream, UNOPENED)
  try {
    return await foldAll(reader, stream, restored)
  } catch (error) {
    // A snapshot that does not fit what follows it is worth nothing; the log alone says whether the history is sound.
    if (error instanceof RegistryStopped) return foldAll(reader, stream, UNOPENED)
    throw error
  }
}

async function foldAll(reader: EventReader, stream: string, from: LoadedRegistry): Promise<FreshlyLoaded> {
  let loaded = from
  for await (const chunk of storedInChunks(reader, stream, from.state.revision + 1)) {
    loaded = foldStored(stream, loaded, chunk)
  }
  return { loaded, eventsFolded: loaded.state.revision - from.state.revision }
}

/** A stream from a revision on, so many events at once that a fold is cheap and memory bounded. */
export async function* storedInChunks(
  reader: EventReader,
  stream: string,
  from: number,
): AsyncGenerator<readonly StoredEvent[], void, undefined> {
  let chunk: StoredEvent[] = []
  for await (const event of reader.readStream(stream, { from })) {
    chunk.push(event)
    if (chunk.length < EVENTS_PER_FOLD) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Checks and folds stored events. Throws RegistryStopped. */
function foldStored(stream: string, loaded: LoadedRegistry, stored: readonly StoredEvent[]): LoadedRegistry {
  const last = stored.at(-1)
  if (last === undefined) return loaded
  try {
    const state = fold(loaded.state, decodeChained(stream, loaded, stored))
    return { state, hash: last.hash, position: last.position }
  } catch (error) {
    throw stoppedBy(stream, error)
  }
}

/** Stored events as they are folded, after their place in the chain was checked. Throws RegistryStopped. */
export function decodeChained(
  stream: string,
  before: Pick<LoadedRegistry, 'state' | 'hash'>,
  stored: readonly StoredEvent[],
): readonly RecordedEvent[] {
  const { revision } = before.state
  let point: ChainPoint | undefined = revision === -1 ? undefined : { revision, hash: before.hash }
  return stored.map((event) => {
    const fault = chainFault(event, point)
    if (fault !== undefined) throw new RegistryStopped(stream, fault.message)
    point = { revision: event.revision, hash: event.hash }
    return decodeEvent(event)
  })
}

/** An event that can't be read or folded stops its registry; every other error is as it was. */
export function stoppedBy(stream: string, error: unknown): unknown {
  if (error instanceof CodecError || error instanceof ContradictoryHistory) {
    return new RegistryStopped(stream, error.message, { cause: error })
  }
  return error
}

/** These do not pass by themselves: the bytes, or what stands for them, must be looked at by somebody. */
const CODES_FOR_GOOD: readonly LogErrorCode[] = ['log_damaged', 'log_newer', 'log_replaced']

/** Why a registry can't be read: stopped, or only for the moment (the log is locked, closed, away). */
export function failureOf(stream: string, error: unknown): RegistryStopped | LogError {
  if (error instanceof RegistryStopped) return error
  if (error instanceof LogError && !CODES_FOR_GOOD.includes(error.code)) return error
  return new RegistryStopped(stream, error instanceof Error ? error.message : String(error), { cause: error })
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

/** A digest of the state stands before it: a cache that is damaged, or was written by hand, is no snapshot. */
function restoredState(text: string): RegistryState | undefined {
  const state = text.slice(DIGEST_LENGTH)
  if (text.slice(0, DIGEST_LENGTH) !== hash('sha256', state, 'hex')) return undefined
  try {
    // Written by plainOf under this schema; whatever else it may hold is not worth more than a new fold.
    return registryOf(JSON.parse(state) as PlainRegistry)
  } catch {
    return undefined
  }
}

const DIGEST_LENGTH = 64

/** Keeps a snapshot of what is durable; a cache that cannot be written costs time later, nothing else. */
export async function keepSnapshot(
  reader: EventReader,
  stream: string,
  loaded: LoadedRegistry,
  snapshots: SnapshotCache,
): Promise<void> {
  const { revision } = loaded.state
  if (revision === -1) return
  const { logId, timeline } = await reader.identity()
  const state = JSON.stringify(plainOf(loaded.state))
  snapshots.save({
    logId,
    timeline,
    stream,
    revision,
    hash: loaded.hash,
    schema: SNAPSHOT_SCHEMA,
    state: hash('sha256', state, 'hex') + state,
  })
}
