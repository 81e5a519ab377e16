import { expect, test } from 'vitest'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import type { Shell } from '../../src/shell/shell.ts'
import { faulty } from './support/faulty-store.ts'
import { answered, OWNER, openShell, running } from './support/nodes.ts'

/** Two nodes on one log; the second one is told nothing of what the first one writes. */
function nodes(): { readonly one: Shell; readonly lagging: Shell } {
  const log = createMemoryLog()
  const deaf = { ...faulty(openMemoryStore({ log })), watch: () => () => {} }
  const [one, lagging] = [openMemoryStore({ log }), deaf].map((store) => openShell({ store, clock: SYSTEM_CLOCK }))
  return { one: one as Shell, lagging: lagging as Shell }
}

test('a command sent again to a node that lags tells how its operation stands now', async () => {
  const { one, lagging } = nodes()
  const register = { type: 'RegisterOperation', id: 'a', kind: 'test' }
  await answered(one, register, { commandId: 'once' })
  await lagging.snapshot(OWNER, 'a')
  await answered(one, { type: 'CancelOperation', id: 'a' })
  const again = await answered(lagging, register, { commandId: 'once' })
  expect(again).toMatchObject({ changed: true, revision: 1, status: 'cancelled' })
  await Promise.all([one.close(), lagging.close()])
})

test('a heartbeat that a node must read on for is answered whole, with the cancel that another node took', async () => {
  const { one, lagging } = nodes()
  await lagging.snapshot(OWNER, 'a')
  const leaseEpoch = await running(one, 'a')
  await answered(one, { type: 'RequestCancel', id: 'a' })
  const { number } = (await one.snapshot(OWNER, 'a')) ?? {}
  const { nextHeartbeatBefore, ...heard } = await answered(lagging, { type: 'RecordHeartbeat', id: 'a', leaseEpoch })
  expect(heard).toMatchObject({ operationId: 'a', number, status: 'running', leaseEpoch, cancelRequested: true })
  expect(nextHeartbeatBefore).toBeGreaterThan(SYSTEM_CLOCK.now())
  await Promise.all([one.close(), lagging.close()])
})
