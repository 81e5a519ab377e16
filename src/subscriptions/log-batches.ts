/**
 * The log in batches: as large as is worth while as long as there is more, as small as one event when it was the last one,
 * so that what was just appended is never waited with.
 */
import type { LogItem } from '../../projections/projector.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { LogItems } from './log-items.ts'

export interface LogBatch {
  /** Of registries; what else stands in the log only moves the place. */
  readonly items: readonly LogItem[]
  /** Looked at, those of others included. */
  readonly events: number
  /** The last event that was looked at; undefined where nothing came since the batch before. */
  readonly last: { readonly position: bigint; readonly hash: string } | undefined
  /** Nothing more stood behind it. */
  readonly isCaughtUp: boolean
}

export interface LogBatchesOptions {
  readonly after: bigint
  readonly eventsMax: number
  readonly bytesMax: number
  readonly signal: AbortSignal
}

/** History, then live, until the signal aborts or the iteration is left. Throws what the reader throws. */
export async function* logBatches(
  reader: EventReader,
  { after, eventsMax, bytesMax, signal }: LogBatchesOptions,
): AsyncGenerator<LogBatch, void, undefined> {
  const decoding = new LogItems()
  let items: LogItem[] = []
  let last: LogBatch['last']
  let events = 0
  let bytes = 0
  for await (const next of reader.follow({ after, signal })) {
    if (next.type === 'event') {
      const { event } = next
      const item = decoding.of(event)
      if (item !== undefined) items.push(item)
      last = event
      bytes += event.body.length + event.content.length
      if (++events < eventsMax && bytes < bytesMax) continue
    }
    const place = last && { position: last.position, hash: last.hash }
    yield { items, events, last: place, isCaughtUp: next.type === 'caught_up' }
    items = []
    last = undefined
    events = 0
    bytes = 0
  }
}
