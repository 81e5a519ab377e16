/** How a life begins, and how a registration that never reached its caller is undone. */
import { markRolledBack } from './command-memory.ts'
import { earliestDeadline } from './deadlines.ts'
import { type Effect, scheduleOf } from './effects.ts'
import type { EventOf, RecordedEvent } from './events.ts'
import type { Operation, Phase } from './operation.ts'
import { ABSENT_FACTS } from './operation-facts.ts'
import { stepOf } from './operation-machine.ts'
import { contradict, type Draft, operationOf, putOperation, releaseKey, statusAfter } from './registry-draft.ts'
import type { PresentStatus } from './status.ts'

export function register(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'OperationRegistered'>,
): readonly Effect[] {
  const { id, key } = event.facts
  if (draft.operations.has(id) || draft.tombstones.has(id)) contradict(recorded, `the id ${id} is taken`)
  if (key !== undefined && draft.keys.has(key)) contradict(recorded, `the key ${key} is held by an active operation`)
  const operation = registeredOperation(recorded, event)
  putOperation(draft, operation)
  draft.ids = draft.ids.set(operation.number, id, draft.edit)
  if (key !== undefined) draft.keys = draft.keys.set(key, operation.number, draft.edit)
  draft.activeCount += 1
  const deadline = earliestDeadline(operation)
  return deadline === undefined ? [] : [scheduleOf(operation, deadline)]
}

/** The operation at its birth, its status by the machine. */
export function registeredOperation(recorded: RecordedEvent, event: EventOf<'OperationRegistered'>): Operation {
  // The machine has a way to begin, or no operation was ever registered.
  const status = stepOf('absent', ABSENT_FACTS, 'OperationRegistered') as PresentStatus
  return {
    ...event.facts,
    ...describedBy(event.content),
    number: recorded.revision,
    status,
    registrationCommandId: recorded.metadata.commandId,
    joined: false,
    waitedFor: false,
    waits: [],
    attempt: 1,
    registeredAt: recorded.metadata.at,
    progress: { count: 0, inAttempt: 0 },
    phases: phasesOf(event),
    attention: [],
    contradictions: [],
    lastRevision: recorded.revision,
  }
}

function describedBy(content: EventOf<'OperationRegistered'>['content']) {
  if (content.phaseResults === undefined) return content
  const { phaseResults: _folded, ...described } = content
  return described
}

/** Declared phases in their order, with the results that a retry carried over. */
function phasesOf({ facts, content }: EventOf<'OperationRegistered'>): readonly Phase[] {
  // A map: a phase may be called `constructor`.
  const results = new Map(Object.entries(content.phaseResults ?? {}))
  return (facts.kindFacts.phases ?? [...results.keys()]).map((name) => {
    const result = results.get(name)
    return result === undefined ? { name, status: 'pending' } : { name, status: 'completed', result }
  })
}

export function rollBack(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'RegistrationRolledBack'>,
): readonly Effect[] {
  const operation = operationOf(draft, recorded, event.facts)
  const { id, number } = operation
  // The machine has one step for this event, into absence, and refuses all others.
  statusAfter(operation, recorded)
  draft.operations = draft.operations.delete(id, draft.edit)
  draft.ids = draft.ids.delete(number, draft.edit)
  releaseKey(draft, operation)
  draft.activeCount -= 1
  markRolledBack(draft, operation)
  return [{ type: 'CloseWatchers', number, id, reason: 'rolled_back' }]
}
