/**
 * The stream of batch appends: one long call, appends correlated by an id, errors as statuses with details; and how an
 * append is answered on it, or as a call of its own.
 */
import { createRequire } from 'node:module'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { ProposedRecord, ServerAnswer, ServerExpectation } from './eventstoredb-log.ts'
import { FAILURES, type GrpcFailure, proposedOf, serviceError, streamNameOf } from './eventstoredb-messages.ts'
import { type BatchAppendReq, type BatchAppendResp, Status, shared, streams } from './eventstoredb-protocol.ts'

const require = createRequire(import.meta.url)
const {
  Any,
}: typeof import('google-protobuf/google/protobuf/any_pb.js') = require('google-protobuf/google/protobuf/any_pb.js')
const {
  Empty,
}: typeof import('google-protobuf/google/protobuf/empty_pb.js') = require('google-protobuf/google/protobuf/empty_pb.js')

interface Batch {
  readonly options: BatchAppendReq.Options
  readonly proposed: ProposedRecord[]
}

/** How an append is answered, whichever way it came. */
export interface AppendReply {
  say(result: ServerAnswer, withoutPosition?: boolean): void
  fail(failure: GrpcFailure): void
  /** Ends the call without an answer, and without an error. */
  end(): void
}

export interface ArrivedAppend {
  readonly stream: string
  readonly expected: ServerExpectation
  readonly proposed: readonly ProposedRecord[]
}

export function takeBatches(
  call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>,
  maxAppendSize: () => number,
  arrived: (append: ArrivedAppend, reply: AppendReply) => void,
): void {
  const open = new Map<string, Batch>()
  call.on('error', () => undefined)
  call.on('end', () => call.end())
  call.on('data', (message: BatchAppendReq) => {
    const correlation = message.getCorrelationId()
    const id = correlation?.getString() ?? ''
    const options = message.getOptions()
    if (options !== undefined) open.set(id, { options, proposed: [] })
    const batch = open.get(id)
    if (batch === undefined) return
    batch.proposed.push(...message.getProposedMessagesList().map(proposedOf))
    if (!message.getIsFinal()) return
    open.delete(id)
    const stream = streamNameOf(batch.options.getStreamIdentifier())
    const expected = batchExpectation(batch.options)
    const write = (answer: BatchAppendResp) => {
      call.write(answer.setCorrelationId(correlation).setStreamIdentifier(batch.options.getStreamIdentifier()))
    }
    arrived(
      { stream, expected, proposed: batch.proposed },
      {
        say(result, withoutPosition = false) {
          const answer = answerOf(result, expected, maxAppendSize())
          if (withoutPosition) answer.getSuccess()?.setNoPosition(new Empty())
          write(answer)
        },
        fail(failure) {
          // Only these two break the call; all else is an answer.
          if (failure === FAILURES.brokenStream || failure === FAILURES.keepAlive) {
            call.emit('error', serviceError(failure))
          } else write(new streams.BatchAppendResp().setError(failedStatus(failure)))
        },
        end: () => void call.end(),
      },
    )
  })
}

function batchExpectation(options: BatchAppendReq.Options): ServerExpectation {
  if (options.hasNoStream()) return 'no_stream'
  if (options.hasAny()) return 'any'
  if (options.hasStreamExists()) return 'stream_exists'
  return Number(options.getStreamPosition())
}

function answerOf(result: ServerAnswer, expected: ServerExpectation, maxAppendSize: number): BatchAppendResp {
  const answer = new streams.BatchAppendResp()
  switch (result.type) {
    case 'success': {
      const position = new shared.AllStreamPosition()
        .setCommitPosition(String(result.position))
        .setPreparePosition(String(result.position))
      const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(result.revision))
      return answer.setSuccess(success.setPosition(position))
    }
    case 'wrong_expected_version': {
      const wrong = new shared.WrongExpectedVersion()
      if (result.current === 'no_stream') wrong.setCurrentNoStream(new Empty())
      else wrong.setCurrentStreamRevision(String(result.current))
      if (expected === 'no_stream') wrong.setExpectedNoStream(new Empty())
      else if (expected === 'any') wrong.setExpectedAny(new Empty())
      else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new Empty())
      else wrong.setExpectedStreamPosition(String(expected))
      return answer.setError(statusOf('WrongExpectedVersion', wrong.serializeBinary(), ALREADY_EXISTS))
    }
    case 'too_large': {
      const details = new shared.MaximumAppendSizeExceeded().setMaxappendsize(maxAppendSize)
      return answer.setError(statusOf('MaximumAppendSizeExceeded', details.serializeBinary(), INVALID_ARGUMENT))
    }
    case 'deleted':
      return answer.setError(statusOf('StreamDeleted', new shared.StreamDeleted().serializeBinary(), NOT_FOUND))
    default:
      return result satisfies never
  }
}

const INVALID_ARGUMENT = 3
const NOT_FOUND = 5
const ALREADY_EXISTS = 6

function failedStatus(failure: GrpcFailure) {
  if (failure === FAILURES.denied) return statusOf('AccessDenied', new Uint8Array(), Number(failure.code))
  if (failure === FAILURES.deadline) return statusOf('Timeout', new Uint8Array(), Number(failure.code))
  const any = new Any()
  any.pack(new Uint8Array(), 'google.protobuf.Empty')
  return new Status().setCode(Number(failure.code)).setMessage(failure.details).setDetails(any)
}

function statusOf(name: string, details: Uint8Array, code: number) {
  const any = new Any()
  any.pack(details, `event_store.client.${name}`)
  return new Status().setCode(code).setMessage(name).setDetails(any)
}
