/**
 * Read model: the registries, one row for each owner: what is active, what is retained, who waits, how far its feed is. The same
 * numbers as the fold of the registry gives, counted without holding its operations.
 *
 *     event -> operations under way (retained or discarded at their end, in which waits) -> waits (how many are missing)
 *           -> the row of the registry
 */
import type { LifecycleEvent, Limits } from '../src/authority/events.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowsBefore } from './projection.ts'
import { endingOf, UNDERWAY, WAITS_TABLE } from './registry-waiting.ts'

export interface RegistryRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  /** Of its opening: the same in every build, so pages break ties by it. */
  readonly openedPosition: bigint
  readonly lastPosition: bigint
  readonly registryId: string
  readonly openedAt: number
  /** The newest stored time. */
  readonly newestAt: number
  /** Of its last event. */
  readonly revision: number
  readonly active: number
  /** Ended operations that the registry keeps whole. */
  readonly retained: number
  /** Active waits. */
  readonly waits: number
  /** The last sequence given out: so many operations have ended. */
  readonly watermark: number
  readonly limits: Limits
  readonly retired: { readonly at: number; readonly reason: string } | null
}

export const REGISTRIES_TABLE: ProjectionTable<RegistryRow> = {
  name: 'registries',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'workspace', type: 'text' },
    { name: 'owner', type: 'text' },
    { name: 'opened_position', type: 'bigint' },
    { name: 'last_position', type: 'bigint' },
    { name: 'registry_id', type: 'text' },
    { name: 'opened_at', type: 'integer' },
    { name: 'newest_at', type: 'integer' },
    { name: 'revision', type: 'integer' },
    { name: 'active', type: 'integer' },
    { name: 'retained', type: 'integer' },
    { name: 'waits', type: 'integer' },
    { name: 'watermark', type: 'integer' },
    { name: 'limits', type: 'text' },
    { name: 'retired_at', type: 'integer', nullable: true },
    { name: 'retired_reason', type: 'text', nullable: true },
  ],
  key: ['stream'],
  indexes: [
    { name: 'activity', columns: ['newest_at', 'opened_position'] },
    { name: 'workspace_activity', columns: ['workspace', 'newest_at', 'opened_position'] },
    { name: 'active_activity', columns: ['newest_at', 'opened_position'], where: 'active > 0' },
    { name: 'active', columns: ['active', 'opened_position'], where: 'active > 0' },
    { name: 'waiting', columns: ['waits', 'opened_position'], where: 'waits > 0' },
    { name: 'owner', columns: ['owner', 'opened_position'] },
    { name: 'opened', columns: ['opened_position'] },
  ],
  write: (row) => [
    row.stream,
    row.workspace,
    row.owner,
    row.openedPosition,
    row.lastPosition,
    row.registryId,
    row.openedAt,
    row.newestAt,
    row.revision,
    row.active,
    row.retained,
    row.waits,
    row.watermark,
    JSON.stringify(row.limits),
    row.retired?.at ?? null,
    row.retired?.reason ?? null,
  ],
  read: (values) => ({
    stream: String(values[0]),
    workspace: String(values[1]),
    owner: String(values[2]),
    openedPosition: values[3] as bigint, // its column is one of bigints, as is the next
    lastPosition: values[4] as bigint,
    registryId: String(values[5]),
    openedAt: Number(values[6]),
    newestAt: Number(values[7]),
    revision: Number(values[8]),
    active: Number(values[9]),
    retained: Number(values[10]),
    waits: Number(values[11]),
    watermark: Number(values[12]),
    limits: JSON.parse(String(values[13])),
    retired: values[14] === null ? null : { at: Number(values[14]), reason: String(values[15]) },
  }),
  targets: ({ stream }) => [[stream]],
  begins: ({ event }) => event.type === 'RegistryOpened',
  evolve: (row, recorded, before) => {
    const { event, metadata, position, revision } = recorded
    const known = row ?? openedRow(recorded)
    const seen = { ...known, lastPosition: position, revision, newestAt: Math.max(known.newestAt, metadata.at) }
    return registryAfter(seen, recorded, event, before)
  },
}

function openedRow({ event, metadata, position, revision, stream, workspace, owner }: ProjectedEvent): RegistryRow {
  if (event.type !== 'RegistryOpened') throw new Error(`${stream} begins with ${event.type}`)
  const { registryId, limits } = event.facts
  const at = {
    openedAt: metadata.at,
    newestAt: metadata.at,
    openedPosition: position,
    lastPosition: position,
    revision,
  }
  const none = { active: 0, retained: 0, waits: 0, watermark: 0, retired: null }
  return { stream, workspace, owner, registryId, limits, ...at, ...none }
}

function registryAfter(
  row: RegistryRow,
  recorded: ProjectedEvent,
  event: LifecycleEvent,
  before: RowsBefore,
): RegistryRow {
  switch (event.type) {
    case 'RegistryLimitsChanged':
      return { ...row, limits: event.facts.limits }
    case 'OwnerRetired':
      return { ...row, retired: { at: recorded.metadata.at, reason: event.content.reason } }
    case 'OperationRegistered':
      return { ...row, active: row.active + 1 }
    case 'RegistrationRolledBack':
      return { ...row, active: row.active - 1 }
    case 'WaitBegan':
      return { ...row, waits: row.waits + 1 }
    case 'WaitExpired':
    case 'WaitCancelled':
      return { ...row, waits: row.waits - 1 }
    case 'CompletedCollected':
      // It takes all that is retained.
      return { ...row, retained: 0 }
    default: {
      const { ended, retained, waitsEnded } = endingOf(recorded, before)
      if (ended === 0) return row
      return {
        ...row,
        active: row.active - ended,
        watermark: row.watermark + ended,
        waits: row.waits - waitsEnded,
        retained: retained === 0 ? row.retained : Math.min(row.retained + retained, keptMax(row.limits)),
      }
    }
  }
}

/** A registry keeps one at least; a lowered bound acts when the next one ends. */
function keptMax({ maxCompleted }: Limits): number {
  return Math.max(1, maxCompleted)
}

export const REGISTRIES: Projection = {
  name: 'registries',
  version: 1,
  tables: [REGISTRIES_TABLE, UNDERWAY, WAITS_TABLE],
  unknownEvents: 'skip',
}
