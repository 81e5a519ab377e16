/** The row of an operation in the index, and what an event makes of it. */
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter } from '../src/authority/operation-life.ts'
import type { ProjectedEvent } from './projection.ts'
import { slimOperation } from './slim-operation.ts'

export interface IndexedOperation {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  /** Of its registration: the same in every build, so pages break ties by it. */
  readonly registeredPosition: bigint
  readonly lastPosition: bigint
  /** Stored time of its last event, signs of life left aside; never before the one before. */
  readonly lastActivityAt: number
  /** Of what has ended: the time of its end. */
  readonly statusSinceAt: number
  /** Since when retention hides it, before it is deleted. */
  readonly markedAt: number | null
  readonly operation: Operation
}

/** Undefined for none. Pure; throws ContradictoryHistory for what could not have happened to it. */
export function rowAfter(
  row: IndexedOperation | undefined,
  recorded: ProjectedEvent,
  number: number,
): IndexedOperation | undefined {
  if (lastRow?.recorded === recorded && lastRow.number === number && lastRow.before === row) return lastRow.after
  const after = evolved(row, recorded, number)
  lastRow = { before: row, recorded, number, after }
  return after
}

/** Counts ask for the row that was just made: what was worked out last is remembered, and no more. */
let lastRow:
  | {
      readonly before: IndexedOperation | undefined
      readonly recorded: ProjectedEvent
      readonly number: number
      readonly after: IndexedOperation | undefined
    }
  | undefined

function evolved(
  row: IndexedOperation | undefined,
  recorded: ProjectedEvent,
  number: number,
): IndexedOperation | undefined {
  const { event, metadata, stream, workspace, owner, position } = recorded
  // Said of one that retention has deleted.
  if (row === undefined && event.type === 'ContradictionRecorded') return undefined
  const life = lifeAfter(row?.operation, withoutInput(recorded), number)
  if (life === undefined) return undefined
  const operation = slimOperation(life)
  const isSign = event.type === 'SignsOfLifeRecorded'
  const at = Math.max(metadata.at, row?.lastActivityAt ?? 0)
  return {
    stream,
    workspace,
    owner,
    registeredPosition: row?.registeredPosition ?? position,
    lastPosition: position,
    lastActivityAt: isSign && row !== undefined ? row.lastActivityAt : at,
    statusSinceAt: row?.operation.status === operation.status ? row.statusSinceAt : (operation.completedAt ?? at),
    markedAt: row?.markedAt ?? null,
    operation,
  }
}

/** No row has it, and it is cheaper left out of what tells it than of all that is made of that. */
function withoutInput(recorded: ProjectedEvent): ProjectedEvent {
  const { event } = recorded
  if (event.type !== 'OperationRegistered' || event.content.input === undefined) return recorded
  const { input: _input, ...content } = event.content
  return { ...recorded, event: { ...event, content } }
}
