/** Between the protocol server's log and the messages that the client's package defines. */

import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { ProposedRecord, ServerExpectation, ServerRecord } from './eventstoredb-log.ts'
import {
  type AppendReq,
  type AppendResp,
  type BatchAppendReq,
  type ReadResp,
  type StreamIdentifier,
  shared,
  streams,
} from './eventstoredb-protocol.ts'

export function streamNameOf(identifier: StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString('utf8')
}

export function expectationOf(options: AppendReq.Options): ServerExpectation {
  if (options.hasNoStream()) return 'no_stream'
  if (options.hasAny()) return 'any'
  if (options.hasStreamExists()) return 'stream_exists'
  return Number(options.getRevision())
}

export function proposedOf(message: AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage): ProposedRecord {
  const about = message.getMetadataMap()
  return {
    id: message.getId()?.getString() ?? '',
    type: about.get('type') ?? '',
    contentType: about.get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  }
}

export function successResponse(revision: number, position: bigint | undefined): AppendResp {
  const success = new streams.AppendResp.Success().setCurrentRevision(String(revision))
  if (position === undefined) success.setNoPosition(new shared.Empty())
  else {
    success.setPosition(
      new streams.AppendResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position)),
    )
  }
  return new streams.AppendResp().setSuccess(success)
}

export function conflictResponse(expected: ServerExpectation, current: number | 'no_stream'): AppendResp {
  const wrong = new streams.AppendResp.WrongExpectedVersion()
  if (current === 'no_stream') wrong.setCurrentNoStream(new shared.Empty())
  else wrong.setCurrentRevision(String(current))
  if (expected === 'no_stream') wrong.setExpectedNoStream(new shared.Empty())
  else if (expected === 'any') wrong.setExpectedAny(new shared.Empty())
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty())
  else wrong.setExpectedRevision(String(expected))
  return new streams.AppendResp().setWrongExpectedVersion(wrong)
}

export function eventResponse(record: ServerRecord): ReadResp {
  const position = String(record.position)
  const event = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(record.id))
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream)))
    .setStreamRevision(String(record.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(record.data)
    .setCustomMetadata(record.metadata)
  event.getMetadataMap().set('type', record.type).set('content-type', record.contentType).set('created', '0')
  return new streams.ReadResp().setEvent(new streams.ReadResp.ReadEvent().setEvent(event).setCommitPosition(position))
}

export function notFoundResponse(stream: string): ReadResp {
  return new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(
      new shared.StreamIdentifier().setStreamName(Buffer.from(stream)),
    ),
  )
}

export function confirmationResponse(id: string): ReadResp {
  return new streams.ReadResp().setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(id))
}

export function checkpointResponse(position: bigint): ReadResp {
  return new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint().setCommitPosition(String(position)).setPreparePosition(String(position)),
  )
}

export function caughtUpResponse(): ReadResp {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp())
}

/** What the server says when it fails a call; `exception` and more stand in the trailers. */
export interface GrpcFailure {
  readonly code: status
  readonly details: string
  readonly trailers?: Readonly<Record<string, string>>
}

export function serviceError({ code, details, trailers = {} }: GrpcFailure): ServiceError {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value)
  return Object.assign(new Error(details), { code, details, metadata })
}

export const FAILURES = {
  notReady: { code: status.UNAVAILABLE, details: 'Server Is Not Ready' },
  commitTimeout: { code: status.ABORTED, details: 'Operation timed out: Commit phase timeout.' },
  forwardTimeout: { code: status.ABORTED, details: 'Operation timed out: Forwarding timeout' },
  deadline: { code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' },
  brokenStream: { code: status.INTERNAL, details: 'Received RST_STREAM with code 0 (Call ended without gRPC status)' },
  /** A client that heard nothing from a stopped node. */
  keepAlive: { code: status.UNAVAILABLE, details: 'Connection dropped' },
  denied: { code: status.PERMISSION_DENIED, details: 'Access Denied', trailers: { exception: 'access-denied' } },
  invalidPosition: { code: status.UNKNOWN, details: 'Unexpected ReadAllResult: InvalidPosition' },
  badRequest: { code: status.UNKNOWN, details: 'Exception was thrown by handler.' },
} as const satisfies Record<string, GrpcFailure>

export function tooLarge(bytesMax: number): GrpcFailure {
  return {
    code: status.INVALID_ARGUMENT,
    details: `Maximum Append Size of ${bytesMax} Exceeded.`,
    trailers: { exception: 'maximum-append-size-exceeded', 'maximum-append-size': String(bytesMax) },
  }
}

export function streamDeleted(stream: string): GrpcFailure {
  return {
    code: status.FAILED_PRECONDITION,
    details: `Event stream '${stream}' is deleted.`,
    trailers: { exception: 'stream-deleted', 'stream-name': stream },
  }
}

export function notLeader(leader: { readonly address: string; readonly port: number }): GrpcFailure {
  return {
    code: status.NOT_FOUND,
    details: 'Leader info available',
    trailers: {
      exception: 'not-leader',
      'leader-endpoint-host': leader.address,
      'leader-endpoint-port': String(leader.port),
    },
  }
}
