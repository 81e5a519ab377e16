/** Which log this is: event 0 of `admin`, written by whoever opens the log first. */
import { decodeLogEvent, encodeEvents, type SaltSource } from './event-codec.ts'
import type { LogIdentity, NewEvent, StoredEvent } from './event-store.ts'
import { LogError } from './event-store.ts'
import { GENESIS_HASH } from './hash-chain.ts'
import { logEventMetadata } from './log-events.ts'
import { ADMIN_STREAM } from './stream-names.ts'

/** Event 0 of `admin` for a new log; append it with `no_stream` and read what stands there when another was first. */
export function logOpened(identity: LogIdentity, at: number, salts: SaltSource): NewEvent[] {
  return encodeEvents({
    stream: ADMIN_STREAM,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    events: [
      {
        event: { type: 'LogOpened', facts: { logId: identity.logId, timeline: identity.timeline }, content: {} },
        metadata: logEventMetadata('OpenLog', identity.logId, at),
      },
    ],
    salts,
  })
}

/** The identity that the first event of `admin` tells. Throws LogError `log_damaged` when it is another event or missing. */
export function identityOf(first: StoredEvent | undefined): LogIdentity {
  const event = first === undefined ? undefined : decodeLogEvent(first).event
  if (event?.type !== 'LogOpened') {
    throw new LogError(
      'log_damaged',
      `The log does not begin with LogOpened: the first event of '${ADMIN_STREAM}' is ${event?.type ?? 'missing'}.`,
    )
  }
  return { logId: event.facts.logId, timeline: event.facts.timeline }
}
