/**
 * A registry's state as one JSON value and back: a cache of a fold, never a source of truth. A snapshot of another schema
 * is worth nothing and is folded anew.
 */
import type { Limits } from './events.ts'
import type { Operation, Tombstone } from './operation.ts'
import { Edit, PersistentMap } from './persistent-map.ts'
import { PersistentQueue } from './persistent-queue.ts'
import {
  type EndedWait,
  type FeedRow,
  firstWaitDeadline,
  type RegistryState,
  type RememberedCommand,
  type Wait,
} from './registry.ts'

/** Raised with every change of what a state holds or how it is folded. */
export const SNAPSHOT_SCHEMA = 1

type PlainWait<W extends Wait> = Omit<W, 'reached'> & { readonly reached: readonly (readonly [number, number])[] }

/** The state as plain data: equal states give equal plain data, whatever way they were folded. */
export interface PlainRegistry {
  readonly registryId: string | null
  readonly digestKey: string | null
  readonly limits: Limits
  readonly retired: RegistryState['retired'] | null
  readonly revision: number
  readonly newestAt: number
  readonly sequence: number
  readonly feedDroppedThrough: number
  readonly operations: readonly Operation[]
  readonly tombstones: readonly Tombstone[]
  readonly retained: readonly string[]
  readonly feed: readonly FeedRow[]
  readonly commands: readonly RememberedCommand[]
  readonly waits: readonly PlainWait<Wait>[]
  readonly endedWaits: readonly PlainWait<EndedWait>[]
}

export function plainOf(state: RegistryState): PlainRegistry {
  const { registryId = null, digestKey = null, retired = null } = state
  const { limits, revision, newestAt, sequence, feedDroppedThrough } = state
  return {
    registryId,
    digestKey,
    limits,
    retired,
    revision,
    newestAt,
    sequence,
    feedDroppedThrough,
    operations: [...state.operations.values()].sort((a, b) => a.number - b.number),
    tombstones: [...state.buried].map((id) => held(state.tombstones.get(id), id)),
    retained: [...state.retained],
    feed: [...state.feed],
    commands: [...state.commandOrder].map(({ commandId }) => held(state.commands.get(commandId), commandId)),
    waits: [...state.waits.values()].sort((a, b) => a.revision - b.revision).map(plainWait),
    endedWaits: [...state.endedWaitOrder].map((id) => plainWait(held(state.endedWaits.get(id), id))),
  }
}

/** The state that a plain one was made of: it decides and folds exactly as the first. */
export function registryOf(plain: PlainRegistry): RegistryState {
  const edit = new Edit()
  const { registryId, digestKey, retired, limits, revision, newestAt, sequence, feedDroppedThrough } = plain
  const active = plain.operations.filter(({ outcome }) => outcome === undefined)
  const waits = plain.waits.map((wait) => livingWait(wait, edit))
  const endedWaits = plain.endedWaits.map((wait) => livingWait(wait, edit))
  const activeWaits = mapOf(waits, ({ waitId }) => waitId, edit)
  return {
    registryId: registryId ?? undefined,
    digestKey: digestKey ?? undefined,
    retired: retired ?? undefined,
    limits,
    revision,
    newestAt,
    sequence,
    feedDroppedThrough,
    activeCount: active.length,
    operations: mapOf(plain.operations, ({ id }) => id, edit),
    tombstones: mapOf(plain.tombstones, ({ id }) => id, edit),
    ids: [...plain.operations, ...plain.tombstones].reduce(
      (ids, { number, id }) => ids.set(number, id, edit),
      PersistentMap.empty<number, string>(),
    ),
    keys: active.reduce(
      (keys, { key, number }) => (key === undefined ? keys : keys.set(key, number, edit)),
      PersistentMap.empty<string, number>(),
    ),
    retained: queueOf(plain.retained, edit),
    buried: queueOf(
      plain.tombstones.map(({ id }) => id),
      edit,
    ),
    feed: queueOf(plain.feed, edit),
    commands: mapOf(plain.commands, ({ commandId }) => commandId, edit),
    commandOrder: queueOf(
      plain.commands.map(({ commandId, at }) => ({ commandId, at })),
      edit,
    ),
    waits: activeWaits,
    waitsExpireFrom: firstWaitDeadline(activeWaits),
    endedWaits: mapOf(endedWaits, ({ waitId }) => waitId, edit),
    endedWaitOrder: queueOf(
      endedWaits.map(({ waitId }) => waitId),
      edit,
    ),
  }
}

function plainWait<W extends Wait>(wait: W): PlainWait<W> {
  return { ...wait, reached: [...wait.reached].sort(([a], [b]) => a - b) }
}

function livingWait<W extends Wait>(plain: PlainWait<W>, edit: Edit): W {
  const reached = plain.reached.reduce(
    (map, [number, revision]) => map.set(number, revision, edit),
    PersistentMap.empty<number, number>(),
  )
  // PlainWait<W> is W with another `reached`, which is put back here.
  return { ...plain, reached } as unknown as W
}

function mapOf<V>(values: readonly V[], keyOf: (value: V) => string, edit: Edit): PersistentMap<string, V> {
  return values.reduce((map, value) => map.set(keyOf(value), value, edit), PersistentMap.empty<string, V>())
}

function queueOf<V>(values: readonly V[], edit: Edit): PersistentQueue<V> {
  return values.reduce((queue, value) => queue.push(value, edit), PersistentQueue.empty<V>())
}

function held<V>(value: V | undefined, id: string): V {
  if (value === undefined) throw new Error(`the registry orders ${id}, but does not hold it`)
  return value
}
