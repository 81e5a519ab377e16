import { describe, expect, test } from 'vitest'
import { noticeOf } from '../../src/event-store/eventstoredb-notice.ts'
import {
  caughtUpResponse,
  checkpointResponse,
  confirmationResponse,
  eventResponse,
} from '../support/eventstoredb-messages.ts'

const RECORD = {
  stream: 'registry-default/é 𝒳',
  revision: 4_711,
  position: 123_456_789_012n,
  id: '00000000-0000-4000-8000-000000000001',
  type: 'OperationCompleted',
  contentType: 'application/json',
  data: Buffer.from(JSON.stringify({ text: 'x'.repeat(100_000) })),
  metadata: new Uint8Array(),
}

/** The messages that the client's own package writes are read as it would read them. */
describe('a message of a subscription', () => {
  test.each([
    ['an event', {}],
    ['the first event of a stream, at the first position', { revision: 0, position: 0n }],
    ['an event beyond 2^53', { position: 2n ** 63n - 1n, revision: 2 ** 52 }],
    ['an event without data', { data: new Uint8Array() }],
  ])('tells where %s stands', (_what, different) => {
    const record = { ...RECORD, ...different }
    const { stream, revision, position } = record
    const bytes = eventResponse(record).serializeBinary()
    expect(noticeOf(bytes)).toEqual({ type: 'appended', stream, revision, position })
    // In the middle of a larger buffer, as they come from the socket.
    const within = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')])
    expect(noticeOf(within.subarray(6, 6 + bytes.length))).toEqual({ type: 'appended', stream, revision, position })
  })

  test('is a confirmation, a checkpoint, or nothing that a notice needs', () => {
    expect(noticeOf(confirmationResponse('one').serializeBinary())).toEqual({ type: 'confirmed' })
    expect(noticeOf(checkpointResponse(987_654_321_098n).serializeBinary())).toEqual({
      type: 'checkpoint',
      position: 987_654_321_098n,
    })
    expect(noticeOf(caughtUpResponse().serializeBinary())).toEqual({ type: 'other' })
    expect(noticeOf(new Uint8Array())).toEqual({ type: 'other' })
  })

  test('that is cut anywhere is refused or says less, and never something else', () => {
    const bytes = eventResponse({ ...RECORD, data: Buffer.from('{}') }).serializeBinary()
    for (let length = 1; length < bytes.length - 1; length++) {
      expect(() => noticeOf(bytes.subarray(0, length))).toThrow(RangeError)
    }
  })
})
