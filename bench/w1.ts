/** W1: the same load on the log that is named, each against floors of its own kind. */
import type { BenchReport } from './report.ts'
import { PROTOCOL_SERVERS, w1OnEventStoreDb } from './w1-eventstoredb.ts'
import { w1OnSqlite } from './w1-sqlite.ts'

/** `sqlite:PATH`, an EventStoreDB's address, or the name of a server of ours; undefined: SQLite files in the temporary folder. */
export async function w1(store: string | undefined): Promise<BenchReport> {
  if (store === undefined) return await w1OnSqlite()
  if (store.startsWith('sqlite:')) return await w1OnSqlite(store.slice('sqlite:'.length))
  if (store.startsWith('esdb') || Object.hasOwn(PROTOCOL_SERVERS, store)) return await w1OnEventStoreDb(store)
  const names = Object.keys(PROTOCOL_SERVERS).join(', ')
  throw new Error(`w1 measures on sqlite:PATH, esdb://host:port, or on a server of ours: ${names}`)
}
