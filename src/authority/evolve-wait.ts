/** Waits as they are folded: begun over operations that still live, told of each end, ended once. */
import type { Effect } from './effects.ts'
import type { EventOf, RecordedEvent } from './events.ts'
import { PersistentMap } from './persistent-map.ts'
import { type EndedWait, firstWaitDeadline, type Wait } from './registry.ts'
import { contradict, type Draft, putOperation } from './registry-draft.ts'

export function beginWait(draft: Draft, recorded: RecordedEvent, event: EventOf<'WaitBegan'>): readonly Effect[] {
  const { waitId, mode, numbers, runId, deadlineAt } = event.facts
  if (draft.waits.has(waitId)) contradict(recorded, `the wait ${waitId} is active already`)
  let reached = PersistentMap.empty<number, number>()
  const members = numbers.map((number) => {
    const id = draft.ids.get(number)
    const operation = id === undefined ? undefined : draft.operations.get(id)
    const tombstone = id === undefined ? undefined : draft.tombstones.get(id)
    const terminalRevision = operation?.terminalRevision ?? tombstone?.terminalRevision
    if (id === undefined || (operation === undefined && tombstone === undefined))
      return contradict(recorded, `no operation ${number}`)
    if (terminalRevision !== undefined) reached = reached.set(number, terminalRevision, draft.edit)
    else if (operation !== undefined) {
      const joining = { ...operation, waitedFor: true, waits: [...operation.waits, waitId] }
      putOperation(draft, joining)
    }
    return { id, number }
  })
  const wait: Wait = {
    waitId,
    mode,
    members,
    reached,
    beganAt: recorded.metadata.at,
    deadlineAt,
    revision: recorded.revision,
    ...(runId === undefined ? {} : { runId }),
  }
  draft.waits = draft.waits.set(waitId, wait, draft.edit)
  // Searched again only once its time has come: by then most waits that made it so early are over.
  const isDue = draft.waitsExpireFrom <= recorded.metadata.at
  draft.waitsExpireFrom = isDue ? firstWaitDeadline(draft.waits) : Math.min(draft.waitsExpireFrom, deadlineAt)
  return [{ type: 'ScheduleDeadline', waitId, at: deadlineAt }]
}

export function forgetWait(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'WaitExpired' | 'WaitCancelled'>,
): readonly Effect[] {
  const { waitId } = event.facts
  const wait = draft.waits.get(waitId)
  if (wait === undefined) return contradict(recorded, `the wait ${waitId} is not active`)
  for (const { id, number } of wait.members) {
    const operation = draft.operations.get(id)
    if (operation?.number !== number || operation.waits.length === 0) continue
    const waits = operation.waits.filter((other) => other !== waitId)
    draft.operations = draft.operations.set(id, { ...operation, waits }, draft.edit)
  }
  const ending = event.type === 'WaitExpired' ? 'expired' : 'cancelled'
  endWait(draft, wait, ending, recorded.revision)
  return [{ type: 'EndWait', waitId, ending }]
}

/** The answer is known: it is remembered, and whoever is still missing is held no longer. */
export function endWait(draft: Draft, wait: Wait, ending: EndedWait['ending'], endedRevision: number): void {
  const { waitId } = wait
  draft.waits = draft.waits.delete(waitId, draft.edit)
  if (ending === 'satisfied' && wait.mode === 'any') detachMissing(draft, wait)
  draft.endedWaits = draft.endedWaits.set(waitId, { ...wait, ending, endedRevision }, draft.edit)
  draft.endedWaitOrder = draft.endedWaitOrder.push(waitId, draft.edit)
  while (draft.endedWaitOrder.size > draft.limits.endedWaits) {
    draft.endedWaits = draft.endedWaits.delete(draft.endedWaitOrder.peek() as string, draft.edit)
    draft.endedWaitOrder = draft.endedWaitOrder.shift(draft.edit)
  }
}

/** A wait for any that is over holds nobody any longer. */
function detachMissing(draft: Draft, wait: Wait): void {
  for (const { id, number } of wait.members) {
    const operation = draft.operations.get(id)
    if (operation?.number !== number || wait.reached.has(number)) continue
    const waits = operation.waits.filter((other) => other !== wait.waitId)
    draft.operations = draft.operations.set(id, { ...operation, waits }, draft.edit)
  }
}
