/**
 * A registry's state while events are folded into it: a copy of the first level that may be written to, and an edit under
 * which the maps and queues below it are changed in place. What was read before a fold never changes by it.
 */
import type { RecordedEvent } from './events.ts'
import type { Operation } from './operation.ts'
import { machineFactsOf } from './operation-facts.ts'
import { labelOf, type OperationLabel, stepOf } from './operation-machine.ts'
import { Edit } from './persistent-map.ts'
import type { RegistryState } from './registry.ts'
import type { PresentStatus, Status } from './status.ts'

/** The log says something that no released version could have written. Names the event. */
export class ContradictoryHistory extends Error {
  override readonly name = 'ContradictoryHistory'
  readonly revision: number

  constructor(revision: number, type: string, message: string) {
    super(`event ${revision} (${type}) contradicts the history before it: ${message}`)
    this.revision = revision
  }
}

export type Draft = { -readonly [K in keyof RegistryState]: RegistryState[K] } & { readonly edit: Edit }

/** Field by field, here and below: a fold of one event pays for this copy, and engines copy known shapes fastest. */
export function draftOf(state: RegistryState): Draft {
  return { ...copyOf(state), edit: new Edit() }
}

export function finished(draft: Draft): RegistryState {
  return copyOf(draft)
}

function copyOf(state: RegistryState): RegistryState {
  return {
    registryId: state.registryId,
    digestKey: state.digestKey,
    limits: state.limits,
    retired: state.retired,
    revision: state.revision,
    newestAt: state.newestAt,
    sequence: state.sequence,
    activeCount: state.activeCount,
    operations: state.operations,
    tombstones: state.tombstones,
    ids: state.ids,
    keys: state.keys,
    retained: state.retained,
    buried: state.buried,
    feed: state.feed,
    feedDroppedThrough: state.feedDroppedThrough,
    commands: state.commands,
    commandOrder: state.commandOrder,
    waits: state.waits,
    waitsExpireFrom: state.waitsExpireFrom,
    endedWaits: state.endedWaits,
    endedWaitOrder: state.endedWaitOrder,
  }
}

export function contradict(recorded: RecordedEvent, message: string): never {
  throw new ContradictoryHistory(recorded.revision, recorded.event.type, message)
}

/** The living or retained operation that an event names. */
export function operationOf(
  draft: Draft,
  recorded: RecordedEvent,
  { id, number }: { readonly id?: string; readonly number: number },
): Operation {
  const known = id ?? draft.ids.get(number)
  const operation = known === undefined ? undefined : draft.operations.get(known)
  if (operation === undefined || operation.number !== number)
    return contradict(recorded, `there is no operation ${id ?? ''} #${number}`)
  return operation
}

/** The machine's step; a step that it does not know is a contradiction. */
export function statusAfter(operation: Operation, recorded: RecordedEvent): Status {
  // Only events of an operation come here, and each of them has a label.
  const label = labelOf(recorded.event) as OperationLabel
  const next = stepOf(operation.status, machineFactsOf(operation), label)
  return next ?? contradict(recorded, `${operation.id} is ${operation.status}`)
}

/** The same for an event that leaves the operation in being: of all events, only a rollback does not. */
export function presentStatusAfter(operation: Operation, recorded: RecordedEvent): PresentStatus {
  return statusAfter(operation, recorded) as PresentStatus
}

export function putOperation(draft: Draft, operation: Operation): void {
  draft.operations = draft.operations.set(operation.id, operation, draft.edit)
}

/** The key is free for the next registration; until now nobody else could hold it. */
export function releaseKey(draft: Draft, { key }: Operation): void {
  if (key !== undefined) draft.keys = draft.keys.delete(key, draft.edit)
}
