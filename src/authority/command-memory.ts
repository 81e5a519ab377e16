/**
 * Accepted commands are remembered as part of the fold, so that the same command sent again has one effect, on any node and
 * after any restart. How long and how many is a limit of the registry, judged by stored times (lifecycle.md, section 6).
 */
import type { EventMetadata } from './events.ts'
import type { Operation } from './operation.ts'
import type { Draft } from './registry-draft.ts'

export function remember(draft: Draft, revision: number, metadata: EventMetadata): void {
  const { commandId, commandDigest, commandType, count, at } = metadata
  const command = { commandId, digest: commandDigest, type: commandType, revision, count, at }
  draft.commands = draft.commands.set(commandId, command, draft.edit)
  draft.commandOrder = draft.commandOrder.push(commandId, draft.edit)
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
    const oldest = draft.commandOrder.peek() as string
    const command = draft.commands.get(oldest)
    const isOld = command === undefined || command.at + ms < at
    if (!isOld && draft.commandOrder.size <= max) return
    draft.commandOrder = draft.commandOrder.shift(draft.edit)
    draft.commands = draft.commands.delete(oldest, draft.edit)
  }
}
