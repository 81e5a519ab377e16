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
import type { ExpectedRevision } from './event-store.ts'
import { type Appended, appendAnswer, appendMessage } from './eventstoredb-append-message.ts'
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

interface Pending {
  readonly resolve: (answer: Appended) => void
  readonly reject: (error: unknown) => void
  readonly deadlineMs: number
  /** By performance.now(). */
  readonly overdueAt: number
}

interface Opening {
  readonly batches: Promise<BatchStream>
  /** Once it is open. */
  open: BatchStream | undefined
}

const openings = new WeakMap<LogClient, Opening>()

/** Rejects with AppendFailed, OutOfTime or what the client throws when it finds no server. */
export function sendAppend(
  client: LogClient,
  stream: string,
  expected: ExpectedRevision,
  events: readonly EventToSend[],
  deadlineMs: number,
): Promise<Appended> {
  const opening = openings.get(client) ?? openFor(client)
  if (opening.open !== undefined) return opening.open.send(stream, expected, events, deadlineMs)
  // Looking for a node may take the client much longer than any deadline.
  return within(opening.batches, deadlineMs, 'looking for a node').then((batches) =>
    batches.send(stream, expected, events, deadlineMs),
  )
}

function openFor(client: LogClient): Opening {
  const forget = () => {
    if (openings.get(client) === opening) openings.delete(client)
  }
  const batches = openBatches(client, answerIn).then((duplex) => {
    opening.open = new BatchStream(duplex, forget)
    return opening.open
  })
  const opening: Opening = { batches, open: undefined }
  batches.catch(forget)
  openings.set(client, opening)
  return opening
}

/** Once nothing is pending on this client any more, or the deadline of all that is has passed. */
export async function appendsSettled(client: LogClient, deadlineMs: number): Promise<void> {
  const opening = openings.get(client)
  if (opening === undefined) return
  try {
    const settling = opening.batches.then((batches) => batches.settled())
    await within(settling, deadlineMs, 'settling')
  } catch {
    // It never opened.
  }
}

class BatchStream {
  readonly #duplex: Duplex
  /** In the order of sending. */
  readonly #pending = new Map<string, Pending>()
  /** Of a UUID everything but its last twelve digits, which count: no other node may use the same. */
  readonly #ids = randomUUID().slice(0, 24)
  #sent = 0
  #timer: NodeJS.Timeout | undefined
  #onSettled: (() => void) | undefined

  constructor(duplex: Duplex, onOver: () => void) {
    this.#duplex = duplex
    const over = (error: unknown) => {
      onOver()
      for (const { reject } of this.#pending.values()) reject(error)
      this.#pending.clear()
      this.#becameIdle()
      // The half that we write would stay open after the server's end, and the client's dispose() would wait for it.
      duplex.destroy()
    }
    duplex.on('data', (answer: Answer) => this.#hear(answer))
    duplex.on('error', over)
    for (const end of ['end', 'close'] as const) duplex.on(end, () => over(new Error('the server ended the appends')))
  }

  send(
    stream: string,
    expected: ExpectedRevision,
    events: readonly EventToSend[],
    deadlineMs: number,
  ): Promise<Appended> {
    const id = this.#ids + (++this.#sent).toString(16).padStart(12, '0')
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, deadlineMs, overdueAt: performance.now() + deadlineMs })
      this.#timer ??= setTimeout(this.#giveUpOverdue, deadlineMs)
      this.#duplex.write(appendMessage(id, stream, expected, events))
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
    if (this.#pending.size === 0) this.#becameIdle()
    return pending
  }

  #becameIdle(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#onSettled?.()
  }

  /** One timer looks after all: what was sent first is overdue first. */
  readonly #giveUpOverdue = (): void => {
    this.#timer = undefined
    const now = performance.now()
    for (const [id, { reject, deadlineMs, overdueAt }] of this.#pending) {
      // A timer may fire up to a millisecond early.
      if (overdueAt > now + 1) {
        this.#timer = setTimeout(this.#giveUpOverdue, overdueAt - now)
        return
      }
      this.#take(id)
      reject(new OutOfTime(`no answer within ${deadlineMs} ms`))
    }
  }

  /** An answer that nobody waits for came late, or twice. */
  #hear({ correlationId, told }: Answer): void {
    const pending = this.#take(correlationId)
    if (told instanceof AppendFailed) pending?.reject(told)
    else pending?.resolve(told)
  }
}

interface Answer {
  readonly correlationId: string
  readonly told: Appended | AppendFailed
}

/** What it throws fails the call, and ends no process: the client calls it. */
function answerIn(bytes: Uint8Array): Answer {
  const { correlationId, appended } = appendAnswer(bytes)
  return { correlationId, told: appended ?? failureIn(streams.BatchAppendResp.deserializeBinary(bytes)) }
}

const DETAILS = 'event_store.client.'

function failureIn(answer: InstanceType<typeof streams.BatchAppendResp>): AppendFailed {
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
