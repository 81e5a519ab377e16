/**
 * The two messages of the call for appends, by the byte (see eventstoredb-wire.ts): what is sent, and the answer to what was
 * stored. Any other answer is rare and is read by the client's own classes.
 *
 *     BatchAppendReq  { correlation_id = 1, options = 2, proposed_messages = 3 (repeated), is_final = 4 }
 *       Options         { stream_identifier = 1, stream_position = 2 | no_stream = 3 }
 *       ProposedMessage { id = 1, metadata = 2 (map), custom_metadata = 3, data = 4 }
 *     BatchAppendResp { correlation_id = 1, error = 2 | success = 3, ... }
 *       Success         { current_revision = 1, position = 3 { commit_position = 1, ... } }
 *     UUID { string = 2 }     StreamIdentifier { stream_name = 3 }     map entry { key = 1, value = 2 }
 */
import type { ExpectedRevision } from './event-store.ts'
import type { EventToSend } from './eventstoredb-events.ts'
import { fieldBytes, varintBytes, WireReader, WireWriter } from './eventstoredb-wire.ts'

export interface Appended {
  readonly revision: number
  readonly position: bigint | undefined
}

export interface AppendAnswer {
  readonly correlationId: string
  /** Undefined where it says anything but that the events are stored. */
  readonly appended: Appended | undefined
}

/** Throws RangeError for bytes that are no message. */
export function appendAnswer(bytes: Uint8Array): AppendAnswer {
  const message = new WireReader(bytes)
  let correlationId = ''
  let appended: Appended | undefined
  while (message.next()) {
    if (message.field === 1) correlationId = textIn(message.inner(), 2)
    else if (message.field === 3) appended = success(message.inner())
  }
  return { correlationId, appended }
}

function success(message: WireReader): Appended {
  // A field that is not there is zero.
  let revision = 0
  let position: bigint | undefined
  while (message.next()) {
    if (message.field === 1) revision = Number(message.number)
    else if (message.field === 3) position = commitPosition(message.inner())
  }
  return { revision, position }
}

function commitPosition(message: WireReader): bigint {
  while (message.next()) if (message.field === 1) return message.number
  return 0n
}

function textIn(message: WireReader, field: number): string {
  while (message.next()) if (message.field === field) return message.text()
  return ''
}

/** Correlation and event ids are UUIDs as text. */
export function appendMessage(
  correlationId: string,
  stream: string,
  expected: ExpectedRevision,
  events: readonly EventToSend[],
): Buffer {
  const nameBytes = Buffer.byteLength(stream)
  const expectationBytes = expected === 'no_stream' ? fieldBytes(0) : 1 + varintBytes(expected)
  const optionsBytes = fieldBytes(fieldBytes(nameBytes)) + expectationBytes
  const proposedBytes = events.map(bytesOfProposed)
  const size = proposedBytes.reduce(
    (sum, bytes) => sum + fieldBytes(bytes),
    ID_FIELD_BYTES + fieldBytes(optionsBytes) + 2,
  )
  const message = new WireWriter(size)
  putId(message, correlationId)
  message.open(2, optionsBytes)
  message.open(1, fieldBytes(nameBytes))
  message.text(3, stream, nameBytes)
  if (expected === 'no_stream') message.open(3, 0)
  else message.number(2, expected)
  for (const [index, event] of events.entries()) putProposed(message, event, proposedBytes[index] as number) // one for each
  message.number(4, 1)
  return message.bytes
}

const UUID_LENGTH = 36
const ID_FIELD_BYTES = fieldBytes(fieldBytes(UUID_LENGTH))
const CONTENT_TYPE = mapEntry('content-type', 'application/json')

function bytesOfProposed({ type, dataBytes, metadataBytes }: EventToSend): number {
  const typeBytes = fieldBytes(fieldBytes(4) + fieldBytes(Buffer.byteLength(type)))
  const metadata = metadataBytes === 0 ? 0 : fieldBytes(metadataBytes)
  return ID_FIELD_BYTES + typeBytes + CONTENT_TYPE.length + metadata + fieldBytes(dataBytes)
}

function putProposed(message: WireWriter, event: EventToSend, bytes: number): void {
  const { id, type, data, dataBytes, metadata, metadataBytes } = event
  message.open(3, bytes)
  putId(message, id)
  putMapEntry(message, 'type', type)
  message.copy(CONTENT_TYPE)
  if (metadataBytes > 0) message.text(3, metadata, metadataBytes)
  message.text(4, data, dataBytes)
}

function putId(message: WireWriter, id: string): void {
  message.open(1, fieldBytes(UUID_LENGTH))
  message.text(2, id, UUID_LENGTH)
}

function putMapEntry(message: WireWriter, key: string, value: string): void {
  const keyBytes = Buffer.byteLength(key)
  const valueBytes = Buffer.byteLength(value)
  message.open(2, fieldBytes(keyBytes) + fieldBytes(valueBytes))
  message.text(1, key, keyBytes)
  message.text(2, value, valueBytes)
}

function mapEntry(key: string, value: string): Uint8Array {
  const inside = fieldBytes(Buffer.byteLength(key)) + fieldBytes(Buffer.byteLength(value))
  const message = new WireWriter(fieldBytes(inside))
  putMapEntry(message, key, value)
  return message.bytes
}
