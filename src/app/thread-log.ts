/** The log as a thread opens it, at the place that it was started with. */
import type { LogReader } from '../event-store/event-store.ts'
import { openPortLogReader } from '../event-store/port-log-reader.ts'
import { loadSqlite } from '../event-store/sqlite-file.ts'
import { openSqliteLogReader } from '../event-store/sqlite-log-reader.ts'
import type { LogPlace } from '../subscriptions/thread-data.ts'

/** Whatever a thread has of machine code; first of all, so that whoever ends it knows from when on that may be done. */
export function loadLibraries(): void {
  loadSqlite()
}

export async function openThreadLog(place: LogPlace, pollMs: number): Promise<LogReader> {
  switch (place.type) {
    case 'sqlite':
      return openSqliteLogReader({ path: place.path, pollMs, nudges: place.nudges })
    case 'port':
      return openPortLogReader(place.port)
    case 'eventstoredb': {
      // Its client takes longer to load than everything else together.
      const { openEventStoreDb } = await import('../event-store/eventstoredb.ts')
      return openEventStoreDb({ connectionString: place.connectionString })
    }
    default:
      return place satisfies never
  }
}
