/**
 * One operation's life, folded alone: the same steps as in its registry, without the registry around them (capacity, keys,
 * feed, retention, waits). For readers of the log that follow operations and not owners; what they see is what the registry
 * holds while it holds it, and goes on where the registry keeps but a tombstone.
 */
import type { EventOf, RecordedEvent } from './events.ts'
import { endedOperation } from './evolve-ending.ts'
import { contradictedOperation, movedOperation, signedOperation } from './evolve-operation.ts'
import { registeredOperation } from './evolve-registration.ts'
import type { Operation } from './operation.ts'
import { contradict, statusAfter } from './registry-draft.ts'
import { numbersOf, outcomeOf } from './terminal-facts.ts'

/** Numbers of the operations whose life an event is part of; waits and the registry's own events are part of none. */
export function livesTouchedBy({ event, revision }: RecordedEvent): readonly number[] {
  switch (event.type) {
    case 'OperationRegistered':
      return [revision]
    case 'SignsOfLifeRecorded':
      return event.facts.signs.map(([number]) => number)
    case 'OwnerTerminated':
      return numbersOf(event)
    default:
      return 'number' in event.facts ? [event.facts.number] : []
  }
}

/**
 * The operation of this number after an event of its life; undefined before it is born and after its registration was rolled
 * back. Throws ContradictoryHistory for what could not have happened to it.
 */
export function lifeAfter(
  before: Operation | undefined,
  recorded: RecordedEvent,
  number: number,
): Operation | undefined {
  const { event } = recorded
  if (event.type === 'OperationRegistered') {
    if (before !== undefined) contradict(recorded, `operation #${number} is born already`)
    return registeredOperation(recorded, event)
  }
  if (before === undefined) return contradict(recorded, `there is no operation #${number}`)
  switch (event.type) {
    case 'RegistrationRolledBack':
      statusAfter(before, recorded)
      return undefined
    case 'SignsOfLifeRecorded': {
      const heardAt = event.facts.signs[placeIn(event, number)]?.[1]
      return heardAt === undefined
        ? contradict(recorded, `it has no sign of #${number}`)
        : signedOperation(before, heardAt, recorded)
    }
    case 'ContradictionRecorded':
      return contradictedOperation(before, event, recorded)
    case 'OperationCompleted':
    case 'OperationFailed':
    case 'OperationCancelled':
    case 'OperationAborted':
    case 'OperationRetired':
      return endedOperation(before, outcomeOf(event), event.facts.sequence, recorded)
    case 'OwnerTerminated': {
      const outcome = { status: 'terminated', reason: event.content.reason } as const
      return endedOperation(before, outcome, event.facts.firstSequence + placeIn(event, number), recorded)
    }
    case 'RegistryOpened':
    case 'RegistryLimitsChanged':
    case 'OwnerRetired':
    case 'WaitBegan':
    case 'WaitExpired':
    case 'WaitCancelled':
    case 'CompletedCollected':
      return contradict(recorded, `it is no part of an operation's life`)
    default:
      return movedOperation(before, event, recorded)
  }
}

type EventOfMany = EventOf<'SignsOfLifeRecorded' | 'OwnerTerminated'>

/** An event may name ten thousand operations: their places are looked up once for all of them. */
const placesByEvent = new WeakMap<EventOfMany, ReadonlyMap<number, number>>()

function placeIn(event: EventOfMany, number: number): number {
  let places = placesByEvent.get(event)
  if (places === undefined) {
    const numbers = event.type === 'OwnerTerminated' ? numbersOf(event) : event.facts.signs.map(([signed]) => signed)
    places = new Map(numbers.map((one, index) => [one, index]))
    placesByEvent.set(event, places)
  }
  return places.get(number) ?? -1
}
