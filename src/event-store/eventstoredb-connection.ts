/**
 * One client of the server at a time. A client that may be stuck with its node is replaced by a new one, which looks for
 * a node again; the old one is let go once nothing of it is awaited any more.
 */
import { createRequire } from 'node:module'
import type { Duplex, Readable } from 'node:stream'
import { EventStoreDBClient } from '@eventstore/db-client'
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js'
import { LogError } from './event-store.ts'
import { assertAddress, withoutPassword } from './eventstoredb-address.ts'
import { within } from './eventstoredb-deadline.ts'

// Required, not imported: the client finds its connections by the very classes that it loaded.
const require = createRequire(import.meta.url)
const { StreamsClient, StreamsService } = require('@eventstore/db-client/generated/streams_grpc_pb.js')
const streams: typeof import('@eventstore/db-client/generated/streams_pb.js') =
  require('@eventstore/db-client/generated/streams_pb.js')
const shared: typeof import('@eventstore/db-client/generated/shared_pb.js') =
  require('@eventstore/db-client/generated/shared_pb.js')

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
   * client stays with its node, also when that node has left the cluster. The old one is let go when `settled` is.
   */
  replace(stuck: LogClient, settled: Promise<void> = Promise.resolve()): void {
    if (stuck !== this.#client) return
    this.#client = clientOf(this.#address)
    this.#isUsed = false
    this.#retire(stuck, settled)
  }

  /** Ends every call, so that nothing keeps the process alive. */
  async close(): Promise<void> {
    if (this.#isUsed) this.#retire(this.#client, Promise.resolve())
    await Promise.all(this.#retiring)
  }

  #retire(client: LogClient, settled: Promise<void>): void {
    const retiring = settled.then(() => letGo(client)).finally(() => this.#retiring.delete(retiring))
    this.#retiring.add(retiring)
  }
}

/** The version that the server tells, `unknown` when it is too old to tell one. Throws what the client throws. */
export async function serverVersion(client: LogClient): Promise<string> {
  return (await insideOf(client).capabilities).serverVersion
}

/** The long call for appends on the node that the client has chosen: messages as bytes, answers as `read` reads them. */
export function openBatches(client: LogClient, read: (answer: Uint8Array) => unknown): Promise<Duplex> {
  const inside = insideOf(client)
  const [metadata, options] = inside.callArguments({}, { deadline: Number.POSITIVE_INFINITY })
  const open = (grpc: GrpcClient) =>
    grpc.makeBidiStreamRequest(StreamsService.batchAppend.path, asItIs, read, metadata, options)
  return inside.GRPCStreamCreator(StreamsClient, 'append', open)()
}

function asItIs(bytes: Buffer): Buffer {
  return bytes
}

export interface SubscriptionCall extends Readable {
  cancel(): void
}

/** The long call for what is appended to streams whose names match, behind a position; each message as `read` reads it. */
export function openSubscription(
  client: LogClient,
  after: bigint | undefined,
  streamNameRegex: string,
  read: (message: Uint8Array) => unknown,
): Promise<SubscriptionCall> {
  const inside = insideOf(client)
  const request = subscriptionRequest(after, streamNameRegex)
  const bytesOf = () => Buffer.from(request.serializeBinary())
  const [metadata, options] = inside.callArguments({}, { deadline: Number.POSITIVE_INFINITY })
  const open = (grpc: GrpcClient) =>
    grpc.makeServerStreamRequest(StreamsService.read.path, bytesOf, read, request, metadata, options)
  return inside.GRPCStreamCreator(StreamsClient, 'subscribeToAll', open)()
}

function subscriptionRequest(after: bigint | undefined, streamNameRegex: string): ReadReq {
  const all = new streams.ReadReq.Options.AllOptions()
  if (after === undefined) all.setStart(new shared.Empty())
  else {
    const position = String(after)
    all.setPosition(new streams.ReadReq.Options.Position().setCommitPosition(position).setPreparePosition(position))
  }
  const filter = new streams.ReadReq.Options.FilterOptions()
    .setStreamIdentifier(new streams.ReadReq.Options.FilterOptions.Expression().setRegex(streamNameRegex))
    .setCount(new shared.Empty())
    .setCheckpointintervalmultiplier(1)
  return new streams.ReadReq().setOptions(
    new streams.ReadReq.Options()
      .setAll(all)
      .setSubscription(new streams.ReadReq.Options.SubscriptionOptions())
      .setUuidOption(new streams.ReadReq.Options.UUIDOption().setString(new shared.Empty()))
      .setFilter(filter),
  )
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
  return client
}

const DISPOSE_MS_MAX = 2_000

/** `dispose` ends the streams of a client and forgets its channel, whose socket would stay open. */
async function letGo(client: LogClient): Promise<void> {
  try {
    // It waits for streams that may never tell their end.
    await within(client.dispose(), DISPOSE_MS_MAX, 'Letting go of a client')
  } catch {
    // Late or never: the channel is closed all the same.
  }
  try {
    const channel = await insideOf(client).getChannel()
    channel.close()
  } catch {
    // It never found a server: there is nothing to let go.
  }
}

/** Protected members of version 6.2.1, which package.json pins; the tests of the fences hold that they are what they were. */
interface ClientInside {
  GRPCStreamCreator<S>(service: unknown, name: string, open: (grpc: GrpcClient) => S): () => Promise<S>
  callArguments(options: object, callOptions: object): readonly unknown[]
  readonly capabilities: Promise<{ readonly serverVersion: string }>
  getChannel(): Promise<{ close(): void }>
}

interface GrpcClient {
  makeBidiStreamRequest(...args: readonly unknown[]): Duplex
  makeServerStreamRequest(...args: readonly unknown[]): SubscriptionCall
}

function insideOf(client: LogClient): ClientInside {
  return client as unknown as ClientInside // TypeScript shows protected members to subclasses only
}
