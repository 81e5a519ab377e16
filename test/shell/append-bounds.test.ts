import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { answered, foldedFrom, OWNER, openShell, refused, storedIn } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }

async function withActive(count: number, settings: { terminationBytesMax?: number; appendBytesMax?: number }) {
  const store = openMemoryStore()
  const shell = openShell({ store, settings: { ...settings, commandsQueuedMax: count + 1 } })
  await Promise.all(Array.from({ length: count }, (_, index) => answered(shell, { ...REGISTER, id: `${index}` })))
  return { store, shell }
}

test('an owner with 10,000 live operations is terminated by one event in one append', async () => {
  const { store, shell } = await withActive(10_000, {})
  expect(await answered(shell, { type: 'TerminateOwner', reason: 'gone' })).toMatchObject({
    changed: true,
    terminated: 10_000,
  })
  const { activeCount } = await foldedFrom(store)
  expect(activeCount).toBe(0)
})

test.each(['TerminateOwner', 'RetireOwner'])(
  '%s that takes more than terminationBytesMax is refused with the way out, which leads out',
  async (type) => {
    const { store, shell } = await withActive(3_000, { terminationBytesMax: 5_000, appendBytesMax: 4_000 })
    const before = (await storedIn(store)).length
    const refusal = await refused(shell, { type, reason: 'gone' })
    expect(refusal).toMatchObject({
      code: 'append_too_large',
      facts: { command: type, bytes: expect.any(Number), bytesMax: 5_000, retryable: false },
    })
    expect(refusal.message).toMatch(/the 3000 active operations end in one event.*end some of them one by one first/)
    expect(await storedIn(store)).toHaveLength(before)
    await Promise.all(
      Array.from({ length: 2_000 }, (_, index) => answered(shell, { type: 'CancelOperation', id: `${index}` })),
    )
    expect(await answered(shell, { type, reason: 'gone' })).toMatchObject({ changed: true, terminated: 1_000 })
    expect((await foldedFrom(store)).activeCount).toBe(0)
  },
)

test('a termination may take more than any other append', async () => {
  const { shell } = await withActive(3_000, { terminationBytesMax: 8_000, appendBytesMax: 4_000 })
  expect(await answered(shell, { type: 'TerminateOwner', reason: 'gone' })).toMatchObject({ terminated: 3_000 })
  const refusal = await refused(shell, { ...REGISTER, id: 'wide', input: 'x'.repeat(5_000) })
  expect(refusal).toMatchObject({ code: 'append_too_large', facts: { operationId: 'wide', bytesMax: 4_000 } })
})

test('what is too large for an append leaves nothing of itself in what is decided after it', async () => {
  const { store, shell } = await withActive(1, { appendBytesMax: 4_000 })
  const wide = shell.send(OWNER, { ...REGISTER, id: 'wide', input: 'x'.repeat(5_000) })
  const next = answered(shell, { ...REGISTER, id: 'next' })
  expect(await wide).toMatchObject({ type: 'refused', rejection: { code: 'append_too_large' } })
  await next
  expect((await foldedFrom(store)).operations.has('wide')).toBe(false)
})
