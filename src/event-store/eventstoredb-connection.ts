/**
 * One client of the server at a time. A client that may be stuck with its node is replaced by a new one, which looks for
 * a node again; the old one is let go once nothing of it is awaited any more.
 */
import { EventStoreDBClient } from '@eventstore/db-client'
import { LogError } from './event-store.ts'
import { assertAddress, withoutPassword } from './eventstoredb-address.ts'

export type LogClient = EventStoreDBClient

export class Connection {
  readonly #address: string
  #client: LogClient
  #isUsed = false
  readonly #retiring = new Set<Promise<void>>()

  /** Throws LogError for an address that can't be used; connects to nothing yet. */
  constructor(address: string) {
    this.#address = address
    this.#client = clientOf(address)
  }

  /** Ask again for every call: it may be another one. */
  get client(): LogClient {
    this.#isUsed = true
    return this.#client
  }

  /**
   * Goes on with a new client, unless somebody did so already. After UnknownError, DeadlineExceededError and time-outs the
   * client stays with its node, also when that node has left the cluster.
   */
  replace(stuck: LogClient): void {
    if (stuck !== this.#client) return
    this.#client = clientOf(this.#address)
    this.#isUsed = false
    this.#retire(stuck)
  }

  /** Ends every call, so that nothing keeps the process alive. */
  async close(): Promise<void> {
    if (this.#isUsed) this.#retire(this.#client)
    await Promise.all(this.#retiring)
  }

  #retire(client: LogClient): void {
    const retiring = letGo(client).finally(() => this.#retiring.delete(retiring))
    this.#retiring.add(retiring)
  }
}

/** The version that the server tells, `unknown` when it is too old to tell one. Throws what the client throws. */
export async function serverVersion(client: LogClient): Promise<string> {
  return (await insideOf(client).capabilities).serverVersion
}

function clientOf(address: string): LogClient {
  assertAddress(address)
  let client: LogClient
  try {
    client = EventStoreDBClient.connectionString(address)
  } catch (error) {
    // The client's own message may quote the part with the password.
    const why = error instanceof Error && !/position \d+/.test(error.message) ? error.message : 'it is not well-formed.'
    throw new LogError('log_unusable', `The address ${withoutPassword(address)} can't be used: ${why}`)
  }
  // Batch appends of all clients of a process share one map of what is pending: the failure of one client's stream rejects
  // the others' appends, and an answer that comes after it throws outside of any promise and ends the process. The stream
  // also ends without a word and knows no deadline. A server that "supports" no batches is sent each append as a call of
  // its own, which has none of this.
  insideOf(client).supports = async () => false
  return client
}

/** `dispose` ends the streams of a client and forgets its channel, whose socket would stay open. */
async function letGo(client: LogClient): Promise<void> {
  try {
    await client.dispose()
    const channel = await insideOf(client).getChannel()
    channel.close()
  } catch {
    // It never found a server: there is nothing to let go.
  }
}

/** Protected members of version 6.2.1, which package.json pins; the tests of the fences hold that they are what they were. */
interface ClientInside {
  supports: () => Promise<boolean>
  readonly capabilities: Promise<{ readonly serverVersion: string }>
  getChannel(): Promise<{ close(): void }>
}

function insideOf(client: LogClient): ClientInside {
  return client as unknown as ClientInside // TypeScript shows protected members to subclasses only
}
