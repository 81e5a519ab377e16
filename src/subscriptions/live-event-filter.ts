/** Which events a reader wants: all that is given must hold. */
import { CLOUD_EVENT_TYPES, cloudEventTypeOf } from '../authority/cloud-event.ts'
import type { EventsRequest } from '../authority/questions.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { LiveEntry } from './live-entry.ts'

export interface EntryFilter {
  readonly wantsAll: boolean
  /** A promise where an operation that the event only numbers has to be looked up. */
  wants(entry: LiveEntry): boolean | Promise<boolean>
}

/** An error of writing must not look like silence. */
export function entryFilterOf(
  request: EventsRequest,
  workspaces?: ReadonlySet<string>,
): EntryFilter | { readonly rejection: Rejection } {
  const { workspace, owner, kind, operation, types } = request
  const stray = types?.find((type) => !CLOUD_EVENT_TYPES.has(type))
  if (stray !== undefined) {
    const message = `types: there is no type of event ${JSON.stringify(stray.slice(0, 80))}`
    return { rejection: { code: 'invalid_command', message, facts: { path: 'types', got: stray } } }
  }
  const wantedTypes = types === undefined ? undefined : new Set(types)
  return {
    wantsAll: [workspaces, workspace, owner, kind, operation, types].every((one) => one === undefined),
    wants(entry) {
      if (workspaces !== undefined && !workspaces.has(entry.workspace)) return false
      if (workspace !== undefined && entry.workspace !== workspace) return false
      if (owner !== undefined && entry.owner !== owner) return false
      if (wantedTypes !== undefined && !wantedTypes.has(cloudEventTypeOf(entry.event.type))) return false
      if (operation === undefined && kind === undefined) return true
      const { facts } = entry.event
      if (operation !== undefined && 'id' in facts) {
        if (facts.id !== operation) return false
        if (kind === undefined) return true
      }
      return isAbout(entry, operation, kind)
    },
  }
}

async function isAbout(entry: LiveEntry, operation: string | undefined, kind: string | undefined): Promise<boolean> {
  const births = await entry.births()
  return births.some(
    (birth) => (operation === undefined || birth.id === operation) && (kind === undefined || birth.kind === kind),
  )
}
