/**
 * A small EventStoreDB in this process: the real protocol on a real port, answering as version 24.2.0 was observed to
 * answer, with faults on demand. It proves the client side of the wire; what a real server does, only one can show.
 */

import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js'
import { type AppendReply, type ArrivedAppend, takeBatches } from './eventstoredb-batches.ts'
import { type ProposedRecord, type ServerAnswer, type ServerExpectation, ServerLog } from './eventstoredb-log.ts'
import {
  conflictResponse,
  expectationOf,
  FAILURES,
  type GrpcFailure,
  notLeader,
  proposedOf,
  serviceError,
  streamDeleted,
  streamNameOf,
  successResponse,
  tooLarge,
} from './eventstoredb-messages.ts'
import {
  type AppendReq,
  type AppendResp,
  type BatchAppendReq,
  type BatchAppendResp,
  type ClusterInfo,
  type Empty,
  features,
  GossipService,
  gossip,
  type MemberInfo,
  type ReadReq,
  type ReadResp,
  ServerFeaturesService,
  StreamsService,
  type SupportedMethods,
} from './eventstoredb-protocol.ts'
import { answerRead, type ReadFault, type Subscriber } from './eventstoredb-reading.ts'

export type AppendFault =
  /** Fails the call; the events may be stored all the same. */
  | { readonly type: 'fail'; readonly stored: boolean; readonly failure: GrpcFailure }
  /** Never answers. */
  | { readonly type: 'silence'; readonly stored: boolean }
  /** Stores at once and answers when it is let. */
  | { readonly type: 'late'; readonly until: Promise<void> }
  /** Ends the call of all appends cleanly, without an answer. */
  | { readonly type: 'end'; readonly stored: boolean }
  /** Answers twice. */
  | { readonly type: 'twice' }
  /** Breaks every connection in the middle of the call. */
  | { readonly type: 'reset'; readonly stored: boolean }
  /** Stores, and says that the expectation was wrong, as to a retry that crosses its first copy. */
  | { readonly type: 'stored_but_conflict' }
  /** Stores, and leaves the position out of its answer. */
  | { readonly type: 'no_position' }
  /** Stores nothing and names the expected revision itself as the one that was met. */
  | { readonly type: 'nonsense_conflict' }

export interface ServerOptions {
  readonly log?: ServerLog
  readonly version?: string
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer }
  /** `user:password`; checked where there is TLS. */
  readonly login?: string
}

export class EventStoreDbServer {
  readonly log: ServerLog
  version: string
  /** What the next appends meet, one fault each. */
  readonly appendFaults: AppendFault[] = []
  /** What the next reads (not subscriptions) meet, one fault each. */
  readonly readFaults: ReadFault[] = []
  readonly featureFaults: (GrpcFailure | 'silence')[] = []
  readonly subscriptionFaults: GrpcFailure[] = []
  /** Names the leader when this node is a follower. */
  leader: { readonly address: string; readonly port: number } | undefined
  /** Whom gossip names beside itself: every node of a cluster tells of all. */
  followers: readonly { readonly address: string; readonly port: number }[] = []
  /** Refuses everybody. */
  deniesAll = false
  /** Lets everybody read, and nobody write. */
  deniesAppends = false
  readonly calls = { append: 0, batchStreams: 0, read: 0, subscribe: 0, openReads: 0 }
  readonly subscribers = new Set<Subscriber>()
  port = 0
  readonly #options: ServerOptions
  #server: Server | undefined

  constructor(options: ServerOptions = {}) {
    this.#options = options
    this.log = options.log ?? new ServerLog()
    this.version = options.version ?? '24.2.0'
  }

  get url(): string {
    const login = this.#options.login === undefined ? '' : `${this.#options.login}@`
    return `esdb://${login}localhost:${this.port}${this.#options.tls === undefined ? '?tls=false' : ''}`
  }

  /** On the port that it had before, when it had one. */
  async start(): Promise<this> {
    const server = new Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 })
    server.addService(StreamsService, {
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => this.#read(call),
      append: (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) =>
        this.#append(call, answer),
      delete: (_call: unknown, answer: sendUnaryData<never>) => answer(serviceError(FAILURES.badRequest)),
      tombstone: (_call: unknown, answer: sendUnaryData<never>) => answer(serviceError(FAILURES.badRequest)),
      batchAppend: (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => {
        this.calls.batchStreams++
        this.#batches(call)
      },
    })
    server.addService(ServerFeaturesService, {
      getSupportedMethods: (_call: ServerUnaryCall<Empty, SupportedMethods>, answer: sendUnaryData<SupportedMethods>) =>
        this.#features(answer),
    })
    server.addService(GossipService, {
      read: (_call: ServerUnaryCall<Empty, ClusterInfo>, answer: sendUnaryData<ClusterInfo>) => this.#gossip(answer),
    })
    const { tls } = this.#options
    const credentials = tls
      ? ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.cert }])
      : ServerCredentials.createInsecure()
    this.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`localhost:${this.port}`, credentials, (error, port) => (error ? reject(error) : resolve(port))),
    )
    this.#server = server
    return this
  }

  /** Every connection breaks, as when the process is killed; what was stored stays. */
  kill(): void {
    this.#server?.forceShutdown()
    this.#server = undefined
    for (const subscriber of this.subscribers) subscriber.forget()
  }

  /** The subscriptions break with this failure; undefined: they end cleanly. */
  endSubscriptions(failure?: GrpcFailure): void {
    for (const subscriber of [...this.subscribers]) subscriber.end(failure)
  }

  /** Subscriptions stay open, and nothing comes any more: a node that lost the others. */
  silenceSubscriptions(): void {
    for (const subscriber of [...this.subscribers]) subscriber.silence()
  }

  #append(call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) {
    this.calls.append++
    let stream = ''
    let expected: ServerExpectation = 'any'
    const proposed: ProposedRecord[] = []
    call.on('data', (message: AppendReq) => {
      const options = message.getOptions()
      if (options !== undefined) {
        stream = streamNameOf(options.getStreamIdentifier())
        expected = expectationOf(options)
      }
      const one = message.getProposedMessage()
      if (one !== undefined) proposed.push(proposedOf(one))
    })
    call.on('error', () => undefined)
    call.on('end', () => {
      const refused = this.#refusal(call.metadata.get('authorization')[0], call.metadata.get('requires-leader').length)
      if (refused !== undefined) return answer(serviceError(refused))
      this.#answerAppend(
        { stream, expected, proposed },
        {
          say: (result, withoutPosition) =>
            sayAnswer(result, stream, expected, this.log.maxAppendSize, answer, withoutPosition),
          fail: (failure) => answer(serviceError(failure)),
          end: () => answer(serviceError(FAILURES.badRequest)),
        },
      )
    })
  }

  #batches(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) {
    const [authorization] = call.metadata.get('authorization')
    const refused = this.#refusal(authorization, call.metadata.get('requires-leader').length)
    if (refused !== undefined) {
      call.emit('error', serviceError(refused))
      return
    }
    takeBatches(
      call,
      () => this.log.maxAppendSize,
      (append, reply) => {
        this.calls.append++
        this.#answerAppend(append, reply)
      },
    )
  }

  #answerAppend({ stream, expected, proposed }: ArrivedAppend, reply: AppendReply) {
    if (this.deniesAppends) return reply.fail(FAILURES.denied)
    const fault = this.appendFaults.shift()
    const isStored = fault === undefined || !('stored' in fault) || fault.stored
    const stored =
      isStored && fault?.type !== 'nonsense_conflict' ? this.log.append(stream, expected, proposed) : undefined
    const met: ServerAnswer = stored ?? { type: 'wrong_expected_version', current: expectedAsMet(expected) }
    switch (fault?.type) {
      case undefined:
      case 'nonsense_conflict':
        return reply.say(met)
      case 'fail':
        return reply.fail(fault.failure)
      case 'silence':
        return
      case 'late':
        return void fault.until.then(() => reply.say(met))
      case 'reset':
        return this.#server?.drain(`localhost:${this.port}`, 0)
      case 'end':
        return reply.end()
      case 'twice':
        reply.say(met)
        return reply.say(met)
      case 'stored_but_conflict':
        return reply.say({ type: 'wrong_expected_version', current: this.log.stream(stream).length - 1 })
      case 'no_position':
        return reply.say(met, true)
      default:
        return fault satisfies never
    }
  }

  #read(call: ServerWritableStream<ReadReq, ReadResp>) {
    const isSubscription = call.request.getOptions()?.hasSubscription() ?? false
    if (isSubscription) this.calls.subscribe++
    else this.calls.read++
    const refused =
      this.#refusal(call.metadata.get('authorization')[0], call.metadata.get('requires-leader').length) ??
      (isSubscription ? this.subscriptionFaults.shift() : undefined)
    if (refused !== undefined) return void call.emit('error', serviceError(refused))
    if (!isSubscription) {
      this.calls.openReads++
      const over = () => {
        this.calls.openReads -= isOpen ? 1 : 0
        isOpen = false
      }
      let isOpen = true
      for (const end of ['cancelled', 'close', 'finish']) call.on(end, over)
    }
    answerRead(call, this.log, isSubscription ? undefined : this.readFaults.shift(), this.subscribers)
  }

  #refusal(authorization: unknown, asksForLeader: number): GrpcFailure | undefined {
    const { login, tls } = this.#options
    const expected = `Basic ${Buffer.from(decodeURIComponent(login ?? '')).toString('base64')}`
    if (this.deniesAll || (tls !== undefined && login !== undefined && authorization !== expected))
      return FAILURES.denied
    return asksForLeader > 0 && this.leader !== undefined ? notLeader(this.leader) : undefined
  }

  #features(answer: sendUnaryData<SupportedMethods>) {
    const fault = this.featureFaults.shift()
    if (fault === 'silence') return
    if (fault !== undefined) return answer(serviceError(fault))
    const batchAppend = new features.SupportedMethod()
      .setServiceName('event_store.client.streams.streams')
      .setMethodName('batchappend')
      .setFeaturesList(['deadline_duration'])
    answer(null, new features.SupportedMethods().setEventStoreServerVersion(this.version).setMethodsList([batchAppend]))
  }

  #gossip(answer: sendUnaryData<ClusterInfo>) {
    const { FOLLOWER, LEADER } = gossip.MemberInfo.VNodeState
    const member = (address: string, port: number, state: MemberInfo.VNodeState) =>
      new gossip.MemberInfo()
        .setState(state)
        .setIsAlive(true)
        .setTimeStamp('0')
        .setHttpEndPoint(new gossip.EndPoint().setAddress(address).setPort(port))
    const members = [member('localhost', this.port, this.leader === undefined ? LEADER : FOLLOWER)]
    if (this.leader !== undefined) members.push(member(this.leader.address, this.leader.port, LEADER))
    members.push(...this.followers.map(({ address, port }) => member(address, port, FOLLOWER)))
    answer(null, new gossip.ClusterInfo().setMembersList(members))
  }
}

function sayAnswer(
  result: ServerAnswer,
  stream: string,
  expected: ServerExpectation,
  maxAppendSize: number,
  answer: sendUnaryData<AppendResp>,
  withoutPosition = false,
) {
  switch (result.type) {
    case 'success':
      return answer(null, successResponse(result.revision, withoutPosition ? undefined : result.position))
    case 'wrong_expected_version':
      return answer(null, conflictResponse(expected, result.current))
    case 'too_large':
      return answer(serviceError(tooLarge(maxAppendSize)))
    case 'deleted':
      return answer(serviceError(streamDeleted(stream)))
    default:
      return result satisfies never
  }
}

function expectedAsMet(expected: ServerExpectation): number | 'no_stream' {
  return typeof expected === 'number' ? expected : 'no_stream'
}
