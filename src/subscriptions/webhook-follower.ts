/**
 * From the log into the outbox: batch after batch, each put in one transaction with the place behind it.
 *
 *     cursor -> is it still this log's? -> events -> addressed -> put -> ...
 *                  '- log_replaced            ^-- endpoints changed meanwhile --'
 */

import type { EventReader, LogIdentity, StoredEvent } from '../event-store/event-store.ts'
import { REGISTRY_PREFIX } from '../event-store/stream-names.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { cursorAt, cursorOf, parseCursor, whyGone } from './event-cursor.ts'
import { WebhookAddressing } from './webhook-addressing.ts'
import type { WebhookEndpoints } from './webhook-endpoints.ts'
import { WebhookError } from './webhook-error.ts'
import type { Addressed, OutboxBounds, WebhookOutbox } from './webhook-outbox.ts'

export interface WebhookFollowerParts {
  readonly reader: EventReader
  readonly outbox: WebhookOutbox
  readonly endpoints: WebhookEndpoints
  readonly bounds: OutboxBounds
  readonly clock: Clock
  readonly log: WarningLog
  /** Something may be due. */
  readonly onPut: () => void
  /** Everything up to here was looked at. */
  readonly onCaughtUp: (position: bigint) => void
}

const BATCH_EVENTS_MAX = 512
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/**
 * Until the signal aborts, or the place was moved by somebody else. Throws WebhookError `log_replaced` where the place is none
 * of this log, and what reading throws.
 */
export async function followIntoOutbox(parts: WebhookFollowerParts, signal: AbortSignal): Promise<void> {
  const { reader, outbox, log, onCaughtUp } = parts
  const identity = await reader.identity()
  const from = outbox.cursor() ?? ''
  const place = parseCursor(from)
  const gone = place === undefined ? 'log_replaced' : await whyGone(reader, identity, place)
  if (place === undefined || gone !== undefined) {
    throw new WebhookError(
      'log_replaced',
      'The log is not the one that was followed (log_replaced): go on at its end with "verdict webhooks resume", and send what ' +
        'is missing with "verdict webhooks replay".',
    )
  }
  const addressing = new WebhookAddressing(reader, identity, log)
  let cursor = from
  let events: StoredEvent[] = []
  let bytes = 0
  for await (const item of reader.follow({ after: place.position, prefixes: [REGISTRY_PREFIX], signal })) {
    if (item.type === 'event') {
      events.push(item.event)
      bytes += item.event.body.length + item.event.content.length
      if (events.length < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX) continue
    }
    const last = events.at(-1)
    if (last !== undefined) {
      const to = cursorOf(identity, last)
      if (!(await put(parts, addressing, { events, from: cursor, to, through: last.position }))) return
      cursor = to
      events = []
      bytes = 0
    }
    if (item.type === 'caught_up') onCaughtUp(item.position)
  }
}

/** The end of the log as a cursor. */
export async function endOf(reader: EventReader, identity: LogIdentity): Promise<string> {
  const position = await reader.end()
  const event = await reader.at(position)
  return event === undefined ? cursorAt(identity, position) : cursorOf(identity, event)
}

interface Batch {
  readonly events: readonly StoredEvent[]
  readonly from: string
  readonly to: string
  readonly through: bigint
}

/** False where somebody else has moved the place. */
async function put(parts: WebhookFollowerParts, addressing: WebhookAddressing, batch: Batch): Promise<boolean> {
  const { outbox, endpoints, bounds, clock, onPut } = parts
  const { events, ...place } = batch
  for (;;) {
    const endpointChanges = endpoints.changes()
    const enabled = endpoints.all().filter(({ standing }) => standing === 'enabled')
    const addressed: Addressed[] = []
    for (const event of events) {
      const wanting = enabled.filter(({ after }) => event.position > after)
      const one = await addressing.of(event, wanting)
      if (one !== undefined) addressed.push(one)
    }
    const answer = outbox.put({ ...place, addressed, endpointChanges }, clock.now(), bounds)
    switch (answer.type) {
      case 'put':
        if (addressed.length > 0) onPut()
        return true
      case 'endpoints_changed':
        continue
      case 'moved':
        return false
      default:
        return answer satisfies never
    }
  }
}
