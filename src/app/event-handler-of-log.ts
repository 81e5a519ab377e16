/** Consumers outside: the log at a place, opened for one handler of events and closed behind it. */
import { existsSync } from 'node:fs'
import { SettingsError, settingsOf } from '../config.ts'
import { type EventReader, LogError, type LogReader } from '../event-store/event-store.ts'
import { openSqliteLogReader } from '../event-store/sqlite-log-reader.ts'
import { ProcessHold } from '../runtime/process-hold.ts'
import { type EventHandlerOptions, handleEventsOf } from '../subscriptions/handle-events.ts'
import { type LogPlace, missing, placeOf } from './log-of-node.ts'

/**
 * Hands the events of a log to a handler, each at least once and in order, until the signal aborts: of the log at a location, or
 * of an open one (`memory:` has no other). Throws SettingsError for options that make no sense, EventHandlerStopped, LogError, and
 * what the checkpoint store throws.
 */
export async function handleEvents(
  log: string | { readonly log: EventReader },
  options: EventHandlerOptions,
): Promise<void> {
  assertOptions(options)
  const hold = new ProcessHold()
  try {
    await hold.during(typeof log === 'string' ? handleAt(placeOf(log), options) : handleEventsOf(log.log, options))
  } finally {
    hold.close()
  }
}

/** A policy that is misspelt would be another one, and an option that nobody knows one that is not followed. */
function assertOptions(options: EventHandlerOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(EXPECTED, name)) {
      throw new SettingsError(`there is no option "${name}": it is one of ${Object.keys(EXPECTED).join(', ')}`)
    }
    const among = EXPECTED[name as keyof EventHandlerOptions] // it is one of these
    if (value === undefined || among === 'any' || among.includes(value)) continue
    throw new SettingsError(`${name}: expected ${among.map((one) => `"${one}"`).join(' or ')}, got ${String(value)}`)
  }
}

const EXPECTED: Readonly<Record<keyof EventHandlerOptions, 'any' | readonly unknown[]>> = {
  name: 'any',
  handle: 'any',
  checkpoints: 'any',
  signal: 'any',
  from: ['beginning', 'end'],
  batchEventsMax: 'any',
  retry: 'any',
  onPoison: ['stop', 'skip'],
  unknownEvents: ['stop', 'skip'],
  log: 'any',
  clock: 'any',
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
