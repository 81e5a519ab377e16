import { onTestFinished } from 'vitest'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { type EventStoreDbOptions, openEventStoreDb } from '../../src/event-store/eventstoredb.ts'
import { EventStoreDbServer, type ServerOptions } from './eventstoredb-server.ts'

/** A protocol server of this test's own, gone when the test is. */
export async function startServer(options: ServerOptions = {}): Promise<EventStoreDbServer> {
  const server = await new EventStoreDbServer(options).start()
  onTestFinished(() => server.kill())
  return server
}

/** The adapter on it, with waits so short that a test needs none of its own. */
export async function openOn(
  server: EventStoreDbServer,
  options: Partial<EventStoreDbOptions> = {},
): Promise<EventStore> {
  const store = await openEventStoreDb({
    connectionString: server.url,
    appendDeadlineMs: 2_000,
    backOffMs: 5,
    backOffMsMax: 20,
    ...options,
  })
  onTestFinished(() => store.close())
  return store
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
