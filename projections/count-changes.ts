/** How the counts of the index change by an event: by where its operations stood, and where they stand then. */
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import { type IndexedOperation, rowAfter } from './indexed-operation.ts'
import { countKey, isSameStanding, keepsStanding, type Standing, standingOf } from './operation-standing.ts'
import type { ProjectedEvent, RowKey, RowsBefore } from './projection.ts'

/** The row of an operation of the event's stream as it was before the event. */
export type RowOf = (number: number) => IndexedOperation | undefined

export interface CountChange {
  readonly key: RowKey
  change: number
}

/** How the counts change by an event; `rowOf` is to give rows of that `before`. */
export function countChanges(event: ProjectedEvent, before: RowsBefore, rowOf: RowOf): readonly CountChange[] {
  if (keepsStanding(event.event)) return NO_CHANGES
  if (lastChanges?.event === event && lastChanges.before === before) return lastChanges.changes
  const numbers = livesTouchedBy(event)
  const [first] = numbers
  const changes =
    numbers.length === 1 ? changesOfOne(event, first as number, rowOf) : changesOfMany(event, numbers, rowOf)
  lastChanges = { event, before, changes }
  return changes
}

const NO_CHANGES: readonly CountChange[] = []

/** `targets` and each `evolve` of an event ask one after the other: what was worked out last is remembered, and no more. */
let lastChanges:
  | {
      readonly event: ProjectedEvent
      /** Whose rows they follow from: the same event may be given to two builds, and again after retention has marked rows. */
      readonly before: RowsBefore
      readonly changes: readonly CountChange[]
    }
  | undefined

function changesOfOne(event: ProjectedEvent, number: number, rowOf: RowOf): readonly CountChange[] {
  const row = rowOf(number)
  const was = countedStanding(row)
  const is = countedStanding(rowAfter(row, event, number))
  if (was !== undefined && is !== undefined && isSameStanding(was, is)) return NO_CHANGES
  const changes: CountChange[] = []
  if (was !== undefined) changes.push({ key: countKey(was), change: -1 })
  if (is !== undefined) changes.push({ key: countKey(is), change: 1 })
  return changes
}

function changesOfMany(event: ProjectedEvent, numbers: readonly number[], rowOf: RowOf): readonly CountChange[] {
  const changes = new Map<string, CountChange>()
  const add = (standing: Standing | undefined, change: number) => {
    if (standing === undefined) return
    const key = countKey(standing)
    const name = key.join('\u0000')
    const entry = changes.get(name)
    if (entry === undefined) changes.set(name, { key, change })
    else entry.change += change
  }
  for (const number of numbers) {
    const row = rowOf(number)
    add(countedStanding(row), -1)
    add(countedStanding(rowAfter(row, event, number)), 1)
  }
  return [...changes.values()].filter(({ change }) => change !== 0)
}

/** Undefined for what is in no count. */
function countedStanding(row: IndexedOperation | undefined): Standing | undefined {
  return row === undefined || row.markedAt !== null ? undefined : standingOf(row)
}
