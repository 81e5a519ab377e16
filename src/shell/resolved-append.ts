/** An append to one of the log's small streams, which have no writer of their own. */
import type { AppendResult, EventStore, NewEvent } from '../event-store/event-store.ts'
import { type Clock, pause } from '../runtime/clock.ts'

export interface ResolvedAppendParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly unknownWaitMs: number
}

const RESEND_MS = 100

/** An unknown append is sent again as it is, until the log says what became of it or the wait is over. `revision` is that of the last event, -1 where there is none. */
export async function appendResolved(
  { store, clock, unknownWaitMs }: ResolvedAppendParts,
  stream: string,
  revision: number,
  encoded: readonly NewEvent[],
): Promise<AppendResult> {
  const until = clock.monotonicNow() + unknownWaitMs
  for (;;) {
    const result = await store.append(stream, revision === -1 ? 'no_stream' : revision, encoded)
    if (result.type !== 'unknown' || clock.monotonicNow() >= until) return result
    await pause(clock, RESEND_MS)
  }
}
