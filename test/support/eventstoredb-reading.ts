/** Reads and subscriptions of the protocol server, with the edges that were observed. */

import type { ServerWritableStream } from '@grpc/grpc-js'
import type { ServerLog, ServerRecord } from './eventstoredb-log.ts'
import {
  caughtUpResponse,
  checkpointResponse,
  confirmationResponse,
  eventResponse,
  FAILURES,
  type GrpcFailure,
  notFoundResponse,
  serviceError,
  streamDeleted,
  streamNameOf,
} from './eventstoredb-messages.ts'
import type { ReadReq, ReadResp } from './eventstoredb-protocol.ts'

export type ReadFault =
  | { readonly type: 'fail'; readonly failure: GrpcFailure; readonly afterEvents: number }
  | { readonly type: 'silence'; readonly afterEvents: number }

export interface Subscriber {
  /** With a failure, or cleanly. */
  end(failure?: GrpcFailure): void
  silence(): void
  /** Its connection is gone. */
  forget(): void
}

type ReadCall = ServerWritableStream<ReadReq, ReadResp>

export function answerRead(call: ReadCall, log: ServerLog, fault: ReadFault | undefined, subscribers: Set<Subscriber>) {
  const options = call.request.getOptions()
  if (options === undefined) return void call.emit('error', serviceError(FAILURES.badRequest))
  call.on('error', () => undefined)
  if (options.hasSubscription()) return subscribe(call, options, log, subscribers)
  const stream = options.getStream()
  const name = streamNameOf(stream?.getStreamIdentifier())
  if (stream !== undefined && log.isDeleted(name)) return void call.emit('error', serviceError(streamDeleted(name)))
  if (options.getCount() === '0') return void call.emit('error', serviceError(FAILURES.badRequest))
  const records = stream === undefined ? recordsOfAll(options, log) : recordsOfStream(options, log.stream(name))
  if (records === undefined) {
    return void call.emit('error', serviceError(stream === undefined ? FAILURES.invalidPosition : FAILURES.badRequest))
  }
  if (stream !== undefined && log.stream(name).length === 0 && fault === undefined) {
    call.write(notFoundResponse(name))
    return void call.end()
  }
  const wanted = records.slice(0, Number(options.getCount()))
  for (const record of fault === undefined ? wanted : wanted.slice(0, fault.afterEvents)) {
    call.write(eventResponse(record))
  }
  if (fault === undefined) call.end()
  else if (fault.type === 'fail') call.emit('error', serviceError(fault.failure))
}

const BACKWARDS = 1

/** Inclusive both ways; backwards from beyond the end: from the last one. Undefined: the server fails (forwards from the end). */
function recordsOfStream(
  options: ReadReq.Options,
  stored: readonly ServerRecord[],
): readonly ServerRecord[] | undefined {
  const from = options.getStream()
  const revision = from?.hasStart() ? 0 : from?.hasEnd() ? undefined : Number(from?.getRevision())
  if (options.getReadDirection() === BACKWARDS) {
    return stored.slice(0, revision === undefined ? stored.length : Math.min(revision + 1, stored.length)).reverse()
  }
  return revision === undefined ? undefined : stored.slice(Math.min(revision, stored.length))
}

/**
 * Inclusive forwards, exclusive backwards; never filtered, since this client never sends a filter here. Undefined: the
 * server fails, from the end or from where no record begins.
 */
function recordsOfAll(options: ReadReq.Options, log: ServerLog): readonly ServerRecord[] | undefined {
  const from = options.getAll()
  const position = from?.hasPosition() ? BigInt(from.getPosition()?.getCommitPosition() ?? 0) : undefined
  if (options.getReadDirection() === BACKWARDS) {
    if (from?.hasStart()) return []
    return log.records.filter((record) => position === undefined || record.position < position).reverse()
  }
  if (from?.hasEnd()) return undefined
  if (position === undefined) return log.records
  const index = indexAt(log.records, position)
  const isRecord = index === log.records.length || log.records[index]?.position === position
  return isRecord ? log.records.slice(index) : undefined
}

/** The first record at the position or behind it. */
function indexAt(records: readonly ServerRecord[], position: bigint): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((records[middle]?.position ?? 0n) < position) low = middle + 1
    else high = middle
  }
  return low
}

const SEARCH_WINDOW = 32

/**
 * Confirmation, history, caught up, then live; exclusive of where it starts. A checkpoint comes after so many records were
 * looked at, not matched.
 */
function subscribe(call: ReadCall, options: ReadReq.Options, log: ServerLog, subscribers: Set<Subscriber>): void {
  const matches = filterOf(options)
  let scanned = 0
  const give = (record: ServerRecord) => {
    if (matches(record.stream)) call.write(eventResponse(record))
    if (++scanned % SEARCH_WINDOW === 0) call.write(checkpointResponse(record.position))
  }
  const all = options.getAll()
  const from = all?.hasPosition() ? BigInt(all.getPosition()?.getCommitPosition() ?? 0) : -1n
  call.write(confirmationResponse(crypto.randomUUID()))
  if (!all?.hasEnd()) for (const record of log.records.slice(indexAt(log.records, from + 1n))) give(record)
  call.write(caughtUpResponse())
  const stop = log.onRecord(give)
  const forget = () => {
    stop()
    subscribers.delete(subscriber)
  }
  const subscriber: Subscriber = {
    end(failure) {
      forget()
      if (failure === undefined) call.end()
      else call.emit('error', serviceError(failure))
    },
    silence: stop,
    forget,
  }
  subscribers.add(subscriber)
  for (const end of ['cancelled', 'close']) call.on(end, forget)
}

function filterOf(options: ReadReq.Options): (stream: string) => boolean {
  const expression = options.getFilter()?.getStreamIdentifier()
  if (expression === undefined) return () => true
  const prefixes = expression.getPrefixList()
  if (prefixes.length > 0) return (stream) => prefixes.some((prefix) => stream.startsWith(prefix))
  const regex = new RegExp(expression.getRegex())
  return (stream) => regex.test(stream)
}
