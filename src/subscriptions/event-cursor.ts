/**
 * Where a reader of the events is, as one text: which log, which of its timelines, behind which event. The hash tells an event
 * from another one that stands at its place after a log was put back to an older state and went on.
 *
 *     <log id>.<timeline>.<position>.<the first 16 hex digits of the event's hash, or nothing for a place between events>
 */
import type { EventReader, LogIdentity, StoredEvent } from '../event-store/event-store.ts'

export interface EventCursor {
  readonly logId: string
  readonly timeline: number
  readonly position: bigint
  /** Empty for the beginning of a log and for its end. */
  readonly hash: string
}

const HASH_DIGITS = 16
const CURSOR = /^([0-9a-zA-Z_-]{1,64})\.([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,18})\.([0-9a-f]{16})?$/

export function cursorOf({ logId, timeline }: LogIdentity, event: Pick<StoredEvent, 'position' | 'hash'>): string {
  return `${logId}.${timeline}.${event.position}.${event.hash.slice(0, HASH_DIGITS)}`
}

/** A place of which only the position is known. */
export function cursorAt({ logId, timeline }: LogIdentity, position: bigint): string {
  return `${logId}.${timeline}.${position}.`
}

/** Undefined for what no node ever gave out. */
export function parseCursor(text: string): EventCursor | undefined {
  const [, logId, timeline, position, hash = ''] = CURSOR.exec(text) ?? []
  if (logId === undefined || timeline === undefined || position === undefined) return undefined
  return { logId, timeline: Number(timeline), position: BigInt(position), hash }
}

/** Why what was read up to here is no beginning of what stands in the log now; undefined where it is. */
export async function whyGone(
  reader: EventReader,
  identity: LogIdentity,
  { logId, timeline, position, hash }: EventCursor,
): Promise<'log_replaced' | 'position_gone' | undefined> {
  if (logId !== identity.logId || timeline !== identity.timeline) return 'log_replaced'
  if (position > (await reader.end())) return 'log_replaced'
  if (hash === '') return undefined
  const event = await reader.at(position)
  if (event === undefined) return 'position_gone'
  return event.hash.startsWith(hash) ? undefined : 'log_replaced'
}
