/** The protocol server of an EventStoreDB in a process of its own, so that its time is not that of the test. Says its address. */
import { EventStoreDbServer } from '../../support/eventstoredb-server.ts'

const server = await new EventStoreDbServer().start()
process.on('disconnect', () => process.exit())
process.send?.(server.url)
