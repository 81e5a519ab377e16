/**
 * Appends over one long call of a client: pipelined, each correlated by an id of its own. The call is the client's; what is
 * pending is kept here, stream by stream.
 *
 *     send -> pending -> answer | error or end of the stream: all pending of this stream | time-out: this one
 *
 * The client's own batch appends keep what is pending in one map for all clients of a process: the failure of one stream
 * rejects the others' appends, and an answer that comes later, late or twice throws outside of any promise and ends the
 * process. They know no deadline, and a stream that ends without an error leaves them waiting for ever.
 */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import type { ExpectedRevision } from './event-store.ts'
import { type LogClient, openBatches } from './eventstoredb-connection.ts'
import { OutOfTime, within } from './eventstoredb-deadline.ts'
import { AppendFailed } from './eventstoredb-errors.ts'
import type { EventToSend } from './eventstoredb-events.ts'

// Required, not imported: a message must come from the very module that the client loaded.
const require = createRequire(import.meta.url)
const streams: typeof import('@eventstore/db-client/generated/streams_pb.js') =
  require('@eventstore/db-client/generated/streams_pb.js')
const shared: typeof import('@eventstore/db-client/generated/shared_pb.js') =
  require('@eventstore/db-client/generated/shared_pb.js')

export interface Appended {
  readonly revision: number
  readonly position: bigint | undefined
}

interface Pending {
  readonly resolve: (answer: Appended) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
}

const streamOf = new WeakMap<LogClient, Promise<BatchStream>>()

/** Rejects with AppendFailed, OutOfTime or what the client throws when it finds no server. */
export async function sendAppend(
  client: LogClient,
  stream: string,
  expected: ExpectedRevision,
  events: readonly EventToSend[],
  deadlineMs: number,
): Promise<Appended> {
  let opening = streamOf.get(client)
  if (opening === undefined) {
    opening = openBatches(client).then((duplex) => new BatchStream(duplex, forget))
    const forget = () => {
      if (streamOf.get(client) === opening) streamOf.delete(client)
    }
    opening.catch(forget)
    streamOf.set(client, opening)
  }
  // Looking for a node may take the client much longer than any deadline.
  const batches = await within(opening, deadlineMs, 'looking for a node')
  return batches.send(stream, expected, events, deadlineMs)
}

/** Once nothing is pending on this client any more, or the deadline of all that is has passed. */
export async function appendsSettled(client: LogClient, deadlineMs: number): Promise<void> {
  const opening = streamOf.get(client)
  if (opening === undefined) return
  try {
    const settling = opening.then((batches) => batches.settled())
    await within(settling, deadlineMs, 'settling')
  } catch {
    // It never opened.
  }
}

class BatchStream {
  readonly #duplex: Duplex
  readonly #pending = new Map<string, Pending>()
  #onSettled: (() => void) | undefined

  constructor(duplex: Duplex, onOver: () => void) {
    this.#duplex = duplex
    const over = (error: unknown) => {
      onOver()
      for (const { reject, timer } of this.#pending.values()) {
        clearTimeout(timer)
        reject(error)
      }
      this.#pending.clear()
      this.#onSettled?.()
      // The half that we write would stay open after the server's end, and the client's dispose() would wait for it.
      duplex.destroy()
    }
    duplex.on('data', (answer: BatchAppendResp) => this.#hear(answer))
    duplex.on('error', over)
    for (const end of ['end', 'close'] as const) duplex.on(end, () => over(new Error('the server ended the appends')))
  }

  send(
    stream: string,
    expected: ExpectedRevision,
    events: readonly EventToSend[],
    deadlineMs: number,
  ): Promise<Appended> {
    const id = randomUUID()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#take(id)
        reject(new OutOfTime(`no answer within ${deadlineMs} ms`))
      }, deadlineMs)
      this.#pending.set(id, { resolve, reject, timer })
      this.#duplex.write(requestOf(id, stream, expected, events))
    })
  }

  settled(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onSettled = resolve
    })
  }

  #take(id: string): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    clearTimeout(pending?.timer)
    if (this.#pending.size === 0) this.#onSettled?.()
    return pending
  }

  /** An answer that nobody waits for came late, or twice. */
  #hear(answer: BatchAppendResp): void {
    const pending = this.#take(answer.getCorrelationId()?.getString() ?? '')
    if (pending === undefined) return
    const success = answer.getSuccess()
    if (success === undefined) {
      pending.reject(failureIn(answer))
      return
    }
    const position = success.getPosition()?.getCommitPosition()
    pending.resolve({
      revision: Number(success.getCurrentRevision()),
      position: position === undefined ? undefined : BigInt(position),
    })
  }
}

function requestOf(
  id: string,
  stream: string,
  expected: ExpectedRevision,
  events: readonly EventToSend[],
): BatchAppendReq {
  const options = new streams.BatchAppendReq.Options().setStreamIdentifier(
    new shared.StreamIdentifier().setStreamName(Buffer.from(stream)),
  )
  if (expected === 'no_stream') options.setNoStream(new shared.Empty())
  else options.setStreamPosition(String(expected))
  const proposed = events.map((event) => {
    const message = new streams.BatchAppendReq.ProposedMessage()
      .setId(new shared.UUID().setString(event.id))
      .setData(event.data)
    if (event.metadata !== undefined) message.setCustomMetadata(event.metadata)
    message.getMetadataMap().set('type', event.type).set('content-type', 'application/json')
    return message
  })
  return new streams.BatchAppendReq()
    .setCorrelationId(new shared.UUID().setString(id))
    .setOptions(options)
    .setProposedMessagesList(proposed)
    .setIsFinal(true)
}

const DETAILS = 'event_store.client.'

function failureIn(answer: BatchAppendResp): AppendFailed {
  const status = answer.getError()
  const message = status?.getMessage() ?? 'an answer without content'
  const details = status?.getDetails()
  const name = details?.getTypeName() ?? ''
  const bytes = details?.getValue_asU8() ?? new Uint8Array()
  switch (name) {
    case `${DETAILS}WrongExpectedVersion`: {
      const wrong = shared.WrongExpectedVersion.deserializeBinary(bytes)
      const actual = wrong.hasCurrentStreamRevision() ? Number(wrong.getCurrentStreamRevision()) : 'no_stream'
      return new AppendFailed({ type: 'conflict', actual })
    }
    case `${DETAILS}MaximumAppendSizeExceeded`: {
      const bytesMax = shared.MaximumAppendSizeExceeded.deserializeBinary(bytes).getMaxappendsize()
      return new AppendFailed({ type: 'too_large', bytesMax })
    }
    case `${DETAILS}StreamDeleted`:
      return new AppendFailed({ type: 'stream_deleted' })
    case `${DETAILS}AccessDenied`:
      return new AppendFailed({ type: 'access_denied' })
    case `${DETAILS}Timeout`:
      return new AppendFailed({ type: 'timed_out' })
    default:
      return new AppendFailed({ type: 'stuck', message })
  }
}
