import { expect, test } from 'vitest'
import type { ExpectedRevision } from '../../src/event-store/event-store.ts'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { OwnAppends } from '../../src/event-store/own-appends.ts'

/** Sends appends of no event, which no store takes: what this process sent is its own, whatever became of it. */
function sending() {
  const own = new OwnAppends(openMemoryStore(), () => {})
  const send = async (stream: string, expected: ExpectedRevision) => {
    await own.store.append(stream, expected, []).catch(() => {})
  }
  return { own, send }
}

const streamOf = (i: number) => `registry-default/owner-${i}`

test('are known of the newest 5,000 streams that this process sent to, and of no more than 10,000', async () => {
  const { own, send } = sending()
  const count = 23_000
  for (let i = 0; i < count; i++) await send(streamOf(i), 7)
  const known = Array.from({ length: count }, (_, i) => own.isOwn(streamOf(i), 7))
  expect(known.slice(-5_000)).toEqual(Array(5_000).fill(true))
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(10_000)
})

test('reach up to the last revision that was sent, also to a stream that was sent to long before', async () => {
  const { own, send } = sending()
  for (let i = 0; i < 6_000; i++) await send(streamOf(i), 7)
  await send(streamOf(0), 9)
  expect([own.isOwn(streamOf(0), 9), own.isOwn(streamOf(0), 10)]).toEqual([true, false])
  expect([own.isOwn(streamOf(1), 7), own.isOwn(streamOf(1), 8)]).toEqual([true, false])
  expect(own.isOwn('registry-default/nobody', 0)).toBe(false)
})
