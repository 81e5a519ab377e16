import { describe, expect, test } from 'vitest'
import { encodeEvents, isWrittenByCodec, randomSalts } from '../../src/event-store/event-codec.ts'
import type { ExpectedRevision } from '../../src/event-store/event-store.ts'
import { appendAnswer, appendMessage } from '../../src/event-store/eventstoredb-append-message.ts'
import type { EventToSend } from '../../src/event-store/eventstoredb-events.ts'
import { GENESIS_HASH } from '../../src/event-store/hash-chain.ts'
import { logEventMetadata } from '../../src/event-store/log-events.ts'
import { shared, streams } from '../support/eventstoredb-protocol.ts'

const ID = '01234567-89ab-4def-8123-456789abcdef'
const STREAM = 'registry-default/é 𝒳'

function event(data: string, metadata = '', type = 'OperationCompleted'): EventToSend {
  const [dataBytes, metadataBytes] = [Buffer.byteLength(data), Buffer.byteLength(metadata)]
  return { id: ID, type, data, dataBytes, metadata, metadataBytes }
}

/** The same message by the classes that the client's package brings. */
function byTheClient(expected: ExpectedRevision, events: readonly EventToSend[]): Buffer {
  const name = new shared.StreamIdentifier().setStreamName(Buffer.from(STREAM))
  const options = new streams.BatchAppendReq.Options().setStreamIdentifier(name)
  if (expected === 'no_stream') options.setNoStream(new shared.Empty())
  else options.setStreamPosition(String(expected))
  const proposed = events.map(({ id, type, data, metadata }) => {
    const message = new streams.BatchAppendReq.ProposedMessage()
      .setId(new shared.UUID().setString(id))
      .setData(Buffer.from(data))
    if (metadata !== '') message.setCustomMetadata(Buffer.from(metadata))
    message.getMetadataMap().set('type', type).set('content-type', 'application/json')
    return message
  })
  const message = new streams.BatchAppendReq()
    .setCorrelationId(new shared.UUID().setString(ID))
    .setOptions(options)
    .setProposedMessagesList(proposed)
    .setIsFinal(true)
  return Buffer.from(message.serializeBinary())
}

/** Entries of a map have no order on the wire. */
function fields(bytes: Uint8Array) {
  const { options, ...message } = streams.BatchAppendReq.deserializeBinary(bytes).toObject()
  const proposedMessagesList = message.proposedMessagesList.map(({ metadataMap, ...proposed }) => ({
    ...proposed,
    metadata: Object.fromEntries(metadataMap),
  }))
  return { ...message, proposedMessagesList, options }
}

describe('the message of an append', () => {
  test.each<[string, ExpectedRevision, readonly EventToSend[]]>([
    ['one event of a new stream', 'no_stream', [event('{"a":1}')]],
    ['behind the first event', 0, [event('{}')]],
    ['behind revisions whose numbers take one byte and more', 127, [event('{}')]],
    ['with two bytes', 128, [event('{}')]],
    ['beyond 32 bits', 2 ** 31, [event('{}')]],
    ['just before 2^53', 2 ** 53 - 2, [event('{}')]],
    ['several events, short and long', 7, [event('x'.repeat(127)), event('y'.repeat(128)), event('z'.repeat(70_000))]],
    ['texts of more bytes than characters', 7, [event('"é 𝒳 \u2028"', '{"line":"é𝒳"}', 'Tÿpe')]],
    ['metadata', 7, [event('{}', 'm'.repeat(300)), event('{}')]],
  ])('is what the client would have sent: %s', (_what, expected, events) => {
    const message = appendMessage(ID, STREAM, expected, events)
    const client = byTheClient(expected, events)
    expect(message).toHaveLength(client.length)
    expect(fields(message)).toEqual(fields(client))
  })
})

describe('the answer to an append', () => {
  const success = (revision: string, position?: string) => {
    const told = new streams.BatchAppendResp.Success().setCurrentRevision(revision)
    if (position !== undefined) {
      told.setPosition(new shared.AllStreamPosition().setCommitPosition(position).setPreparePosition(position))
    }
    return new streams.BatchAppendResp().setCorrelationId(new shared.UUID().setString(ID)).setSuccess(told)
  }

  test.each([
    ['the first event of a stream', '0', '0'],
    ['a later one', '4711', '123456789012'],
    ['beyond 2^53', String(2 ** 52), String(2n ** 63n - 1n)],
  ])('tells where the events stand: %s', (_what, revision, position) => {
    const bytes = success(revision, position)
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(STREAM)))
      .serializeBinary()
    const appended = { revision: Number(revision), position: BigInt(position) }
    expect(appendAnswer(bytes)).toEqual({ correlationId: ID, appended })
  })

  test('says when it has no position, and when it is none of success', () => {
    expect(appendAnswer(success('3').serializeBinary())).toEqual({
      correlationId: ID,
      appended: { revision: 3, position: undefined },
    })
    const failed = new streams.BatchAppendResp().setCorrelationId(new shared.UUID().setString(ID))
    expect(appendAnswer(failed.serializeBinary())).toEqual({ correlationId: ID, appended: undefined })
    expect(appendAnswer(new Uint8Array())).toEqual({ correlationId: '', appended: undefined })
  })

  test('that is cut anywhere is refused or says less, and never something else', () => {
    const bytes = success('4711', '123456789012').serializeBinary()
    const whole = appendAnswer(bytes)
    for (let length = 1; length < bytes.length; length++) {
      try {
        const { correlationId, appended } = appendAnswer(bytes.subarray(0, length))
        expect([whole.correlationId, '']).toContain(correlationId)
        expect(appended).toBe(undefined)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  })
})

test('only what the codec wrote passes as its own: a copy with another text does not', () => {
  const [written] = encodeEvents({
    stream: STREAM,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    salts: randomSalts(),
    events: [
      {
        event: { type: 'OperationCompleted', facts: { id: 'o', number: 1, sequence: 1 }, content: { result: null } },
        metadata: logEventMetadata('CompleteOperation', 'c', 1_763_690_000_000),
      },
    ],
  })
  if (written === undefined) throw new Error('nothing was encoded')
  expect([isWrittenByCodec(written), isWrittenByCodec({ ...written, content: '{ }' })]).toEqual([true, false])
})
