/** Consumers outside: the log at a place, opened for one handler of events and closed behind it. */
import { existsSync } from 'node:fs'
import { settingsOf } from '../config.ts'
import { type EventReader, LogError, type LogReader } from '../event-store/event-store.ts'
import { openSqliteLogReader } from '../event-store/sqlite-log-reader.ts'
import { ProcessHold } from '../runtime/process-hold.ts'
import { type EventHandlerOptions, handleEventsOf } from '../subscriptions/handle-events.ts'
import { type LogPlace, missing, placeOf } from './log-of-node.ts'

/**
 * Hands the events of a log to a handler, each at least once and in order, until the signal aborts: of the log at a location, or
 * of an open one (`memory:` has no other). Throws EventHandlerStopped, LogError, and what the checkpoint store throws.
 */
export async function handleEvents(
  log: string | { readonly log: EventReader },
  options: EventHandlerOptions,
): Promise<void> {
  const hold = new ProcessHold()
  try {
    await hold.during(typeof log === 'string' ? handleAt(placeOf(log), options) : handleEventsOf(log.log, options))
  } finally {
    hold.close()
  }
}

async function handleAt(place: LogPlace, options: EventHandlerOptions): Promise<void> {
  const reader = await readerAt(place)
  try {
    await handleEventsOf(reader, options)
  } finally {
    await reader.close()
  }
}

async function readerAt(place: LogPlace): Promise<LogReader> {
  switch (place.type) {
    case 'memory':
      throw new LogError('log_missing', 'A log in memory is open in its process: hand over the Verdict that opened it.')
    case 'file': {
      if (!existsSync(place.path)) throw missing(place.path)
      return openSqliteLogReader({ path: place.path, pollMs: settingsOf().logPollMs })
    }
    case 'eventstoredb': {
      const { openEventStoreDb } = await import('../event-store/eventstoredb.ts')
      return openEventStoreDb({ connectionString: place.address, mustExist: true })
    }
    default:
      return place satisfies never
  }
}
