/**
 * The waits that are not over, by what the log tells: how many members are missing in each, and until when. A wait goes with
 * the event that completes it, ends it or lets its time run out; who is waited for knows in which.
 */
import type { LifecycleEvent } from '../src/authority/events.ts'
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import type { ProjectedEvent, ProjectionTable, RowKey, RowsBefore, TableLayout } from './projection.ts'

export interface WaitRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly waitId: string
  readonly mode: 'all' | 'any'
  readonly missing: number
  readonly deadlineAt: number
}

export interface WaitMemberRow {
  readonly stream: string
  readonly number: number
  readonly waitIds: readonly string[]
}

export interface WaitTables {
  readonly members: ProjectionTable<WaitMemberRow>
  readonly waits: ProjectionTable<WaitRow>
}

/** `operations` has a row for each active operation, by stream and number. */
export function waitTables(operations: TableLayout<unknown>): WaitTables {
  const missingOf = (numbers: readonly number[], stream: string, before: RowsBefore) =>
    numbers.filter((number) => before.row(operations, [stream, number]) !== undefined)
  const waitsFor = (stream: string, number: number, before: RowsBefore) =>
    before.row(members, [stream, number])?.waitIds ?? []

  const members: ProjectionTable<WaitMemberRow> = {
    name: 'liveness_wait_members',
    columns: [
      { name: 'stream', type: 'text' },
      { name: 'number', type: 'integer' },
      { name: 'wait_ids', type: 'text' },
    ],
    key: ['stream', 'number'],
    indexes: [],
    write: ({ stream, number, waitIds }) => [stream, number, JSON.stringify(waitIds)],
    read: ([stream, number, waitIds]) => ({
      stream: String(stream),
      number: Number(number),
      waitIds: JSON.parse(String(waitIds)),
    }),
    targets: (recorded, before) => {
      const { event, stream } = recorded
      if (event.type === 'WaitBegan') return keysOf(stream, missingOf(event.facts.numbers, stream, before))
      if (!ENDINGS.has(event.type)) return []
      return keysOf(stream, livesTouchedBy(recorded)).filter((key) => before.row(members, key) !== undefined)
    },
    evolve: (row, { event, stream }, before, [, number]) => {
      if (event.type !== 'WaitBegan') return undefined
      // Those that are over by now are forgotten here, when there is one more.
      const goingOn = row?.waitIds.filter((waitId) => before.row(waits, [stream, waitId]) !== undefined) ?? []
      return { stream, number: Number(number), waitIds: [...goingOn, event.facts.waitId] }
    },
  }

  const waits: ProjectionTable<WaitRow> = {
    name: 'liveness_waits',
    columns: [
      { name: 'stream', type: 'text' },
      { name: 'wait_id', type: 'text' },
      { name: 'workspace', type: 'text' },
      { name: 'owner', type: 'text' },
      { name: 'mode', type: 'text' },
      { name: 'missing', type: 'integer' },
      { name: 'deadline_at', type: 'integer' },
    ],
    key: ['stream', 'wait_id'],
    indexes: [{ name: 'due', columns: ['deadline_at'] }],
    write: ({ stream, waitId, workspace, owner, mode, missing, deadlineAt }) => {
      return [stream, waitId, workspace, owner, mode, missing, deadlineAt]
    },
    read: ([stream, waitId, workspace, owner, mode, missing, deadlineAt]) => ({
      stream: String(stream),
      waitId: String(waitId),
      workspace: String(workspace),
      owner: String(owner),
      mode: mode === 'any' ? 'any' : 'all',
      missing: Number(missing),
      deadlineAt: Number(deadlineAt),
    }),
    targets: (recorded, before) => {
      const { event, stream } = recorded
      switch (event.type) {
        case 'WaitBegan':
        case 'WaitExpired':
        case 'WaitCancelled':
          return [[stream, event.facts.waitId]]
        default: {
          if (!ENDINGS.has(event.type)) return []
          const touched = livesTouchedBy(recorded).flatMap((number) => waitsFor(stream, number, before))
          return [...new Set(touched)].map((waitId) => [stream, waitId])
        }
      }
    },
    evolve: (row, recorded, before, [, waitId]) => {
      const { event, stream } = recorded
      if (event.type === 'WaitBegan')
        return begun(recorded, event, missingOf(event.facts.numbers, stream, before).length)
      // Whoever was missing was active, and nobody is any longer.
      if (row === undefined || row.mode === 'any' || event.type === 'OwnerTerminated') return undefined
      if (event.type === 'WaitExpired' || event.type === 'WaitCancelled') return undefined
      const ended = livesTouchedBy(recorded).filter((number) =>
        waitsFor(stream, number, before).includes(String(waitId)),
      )
      const missing = row.missing - ended.length
      return missing > 0 ? { ...row, missing } : undefined
    },
  }
  return { members, waits }
}

type WaitBegan = Extract<LifecycleEvent, { readonly type: 'WaitBegan' }>

function begun({ stream, workspace, owner }: ProjectedEvent, { facts }: WaitBegan, missing: number): WaitRow {
  const { waitId, mode, deadlineAt } = facts
  return { stream, workspace, owner, waitId, mode, missing, deadlineAt }
}

function keysOf(stream: string, numbers: readonly number[]): readonly RowKey[] {
  return numbers.map((number) => [stream, number])
}

const ENDINGS: ReadonlySet<LifecycleEvent['type']> = new Set([
  'OperationCompleted',
  'OperationFailed',
  'OperationCancelled',
  'OperationAborted',
  'OperationRetired',
  'OwnerTerminated',
])
