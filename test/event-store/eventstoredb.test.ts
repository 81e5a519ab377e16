import { describe, expect, test } from 'vitest'
import { eventStoreContract } from '../../src/event-store/contract-suite.ts'
import { openEventStoreDb } from '../../src/event-store/eventstoredb.ts'
import { EventStoreDbServer } from '../support/eventstoredb-server.ts'

eventStoreContract(
  'EventStoreDB, played by the protocol server',
  async () => {
    const server = await new EventStoreDbServer().start()
    return { open: () => openEventStoreDb({ connectionString: server.url }), dispose: () => server.kill() }
  },
  { describe, test, expect },
)

const { EVENTSTORE_URL } = process.env
if (EVENTSTORE_URL) {
  eventStoreContract(
    'EventStoreDB, a real one',
    () => ({ open: () => openEventStoreDb({ connectionString: EVENTSTORE_URL }), dispose: () => undefined }),
    { describe, test, expect },
  )
} else {
  // Not a skipped test: a machine without a server is the usual case, in CI too.
  process.stderr.write(
    'NOT RUN: the contract of the log against a real EventStoreDB; start one (docker compose up -d eventstoredb) and set EVENTSTORE_URL=esdb://localhost:2113?tls=false\n',
  )
}
