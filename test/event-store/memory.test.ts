import { describe, expect, test } from 'vitest'
import { eventStoreContract } from '../../src/event-store/contract-suite.ts'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'

eventStoreContract(
  'memory',
  () => {
    const log = createMemoryLog()
    return { open: async () => openMemoryStore({ log }), dispose: () => {} }
  },
  { describe, test, expect },
)

test('without a log given every store has its own', async () => {
  const [one, two] = [openMemoryStore(), openMemoryStore()]
  expect((await one.identity()).logId).not.toBe((await two.identity()).logId)
})
