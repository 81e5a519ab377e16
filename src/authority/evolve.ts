/**
 * How history adds up. `evolve` folds one event into a registry's state and takes the same step of the machine that the
 * decision took; `effectsOf` tells what the event asks the shell to do. Both come from one walk, so they cannot disagree.
 *
 *     state --event--> state'     and on the way: effects, in the order of lifecycle.md, section 8
 *
 * A history that contradicts itself is no state: it throws ContradictoryHistory, and its registry stops.
 */
import { remember } from './command-memory.ts'
import type { Effect } from './effects.ts'
import type { RecordedEvent } from './events.ts'
import { collect, endOperation, terminate } from './evolve-ending.ts'
import { type Move, moveOperation, recordContradiction, recordSigns } from './evolve-operation.ts'
import { register, rollBack } from './evolve-registration.ts'
import { beginWait, forgetWait } from './evolve-wait.ts'
import type { RegistryState } from './registry.ts'
import { contradict, type Draft, draftOf, finished } from './registry-draft.ts'

export { ContradictoryHistory } from './registry-draft.ts'
export { numbersOf, outcomeIn } from './terminal-facts.ts'

/** The state after one event. Throws ContradictoryHistory. */
export function evolve(state: RegistryState, recorded: RecordedEvent): RegistryState {
  return fold(state, [recorded])
}

/** The state after many events: the same as evolving by one after the other, without the copies in between. */
export function fold(state: RegistryState, events: Iterable<RecordedEvent>): RegistryState {
  const draft = draftOf(state)
  for (const recorded of events) apply(draft, recorded)
  return finished(draft)
}

/** What an event asks the shell to do, in order: derived from the event and the state before it. */
export function effectsOf(state: RegistryState, recorded: RecordedEvent): readonly Effect[] {
  return step(state, recorded).effects
}

/** The state after an event and its effects, for whoever needs both. */
export function step(
  state: RegistryState,
  recorded: RecordedEvent,
): { readonly state: RegistryState; readonly effects: readonly Effect[] } {
  const draft = draftOf(state)
  const effects = apply(draft, recorded)
  return { state: finished(draft), effects }
}

function apply(draft: Draft, recorded: RecordedEvent): readonly Effect[] {
  const { revision, event, metadata } = recorded
  if (revision !== draft.revision + 1) contradict(recorded, `expected revision ${draft.revision + 1}`)
  if (draft.registryId === undefined && event.type !== 'RegistryOpened')
    contradict(recorded, 'the registry is not open')
  draft.revision = revision
  if (metadata.at > draft.newestAt) draft.newestAt = metadata.at
  const effects = applyEvent(draft, recorded)
  if (metadata.index === 0) remember(draft, recorded)
  return effects
}

function applyEvent(draft: Draft, recorded: RecordedEvent): readonly Effect[] {
  const { event, metadata } = recorded
  switch (event.type) {
    case 'RegistryOpened':
      if (draft.registryId !== undefined) contradict(recorded, 'the registry is open already')
      draft.registryId = event.facts.registryId
      draft.digestKey = event.content.digestKey
      draft.limits = event.facts.limits
      return []
    case 'RegistryLimitsChanged':
      draft.limits = event.facts.limits
      return []
    case 'OwnerRetired':
      draft.retired = { at: metadata.at, reason: event.content.reason }
      return []
    case 'OperationRegistered':
      return register(draft, recorded, event)
    case 'RegistrationRolledBack':
      return rollBack(draft, recorded, event)
    case 'SignsOfLifeRecorded':
      return recordSigns(draft, recorded, event)
    case 'ContradictionRecorded':
      return recordContradiction(draft, recorded, event)
    case 'OperationCompleted':
    case 'OperationFailed':
    case 'OperationCancelled':
    case 'OperationAborted':
    case 'OperationRetired':
      return endOperation(draft, recorded, event)
    case 'OwnerTerminated':
      return terminate(draft, recorded, event)
    case 'CompletedCollected':
      return collect(draft, recorded, event)
    case 'WaitBegan':
      return beginWait(draft, recorded, event)
    case 'WaitExpired':
    case 'WaitCancelled':
      return forgetWait(draft, recorded, event)
    default:
      return moveOperation(draft, recorded, event satisfies Move)
  }
}
