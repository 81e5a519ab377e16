/**
 * The stream of batch appends, which the bare client uses and Verdict does not: one long call, appends correlated by an id.
 * Errors travel as statuses with details. Without faults: it is here for comparison.
 */
import { createRequire } from 'node:module'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { ProposedRecord, ServerAnswer, ServerExpectation, ServerLog } from './eventstoredb-log.ts'
import { proposedOf, streamNameOf } from './eventstoredb-messages.ts'
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

export function answerBatches(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>, log: ServerLog): void {
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
    const answer = answerOf(log.append(stream, expected, batch.proposed), expected, log.maxAppendSize)
    call.write(answer.setCorrelationId(correlation).setStreamIdentifier(batch.options.getStreamIdentifier()))
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

function statusOf(name: string, details: Uint8Array, code: number) {
  const any = new Any()
  any.pack(details, `event_store.client.${name}`)
  return new Status().setCode(code).setMessage(name).setDetails(any)
}
