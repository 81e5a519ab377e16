/**
 * Accepted commands are remembered as part of the fold, so that the same command sent again has one effect, on any node and
 * after any restart. How long and how many is a limit of the registry, judged by stored times (lifecycle.md, section 6).
 */
import type { RecordedEvent } from './events.ts'
import type { Operation } from './operation.ts'
import { contradict, type Draft } from './registry-draft.ts'

export function remember(draft: Draft, recorded: RecordedEvent): void {
  const { revision, metadata } = recorded
  const { commandId, commandDigest, commandType, count, at } = metadata
  if (draft.commands.has(commandId)) contradict(recorded, `command ${commandId} was accepted before`)
  const command = { commandId, digest: commandDigest, type: commandType, revision, count, at }
  draft.commands = draft.commands.set(commandId, command, draft.edit)
  draft.commandOrder = draft.commandOrder.push({ commandId, at }, draft.edit)
  forgetOld(draft, at)
}

/** Whoever sends the registering command again is told that it came to nothing. */
export function markRolledBack(draft: Draft, { registrationCommandId }: Operation): void {
  const registration = draft.commands.get(registrationCommandId)
  if (registration === undefined) return
  draft.commands = draft.commands.set(registrationCommandId, { ...registration, rolledBack: true }, draft.edit)
}

function forgetOld(draft: Draft, at: number): void {
  const { ms, min, max } = draft.limits.commandMemory
  while (draft.commandOrder.size > min) {
    const oldest = draft.commandOrder.peek()
    if (oldest === undefined) return
    if (oldest.at + ms >= at && draft.commandOrder.size <= max) return
    draft.commandOrder = draft.commandOrder.shift(draft.edit)
    draft.commands = draft.commands.delete(oldest.commandId, draft.edit)
  }
}
