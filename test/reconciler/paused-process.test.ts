import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { freshFolder, openedAt, untilAborted } from '../client/support/opened-verdict.ts'

const POLICY = {
  staleAfter: '2s',
  startGrace: '2s',
  lateAfter: '1s',
  heartbeatInterval: '300ms',
}

test('a process that is stopped for longer than anybody may be silent and goes on fails nobody by mistake, and who is gone in the end', async () => {
  const location = path.join(freshFolder(), 'verdict.db')
  const here = await openedAt(location, { reconciler: false })
  const child = fork(path.join(import.meta.dirname, 'paused-process-main.ts'), [location, JSON.stringify(POLICY)])
  const exited = once(child, 'exit')
  try {
    await once(child, 'message')
    await here.start('k', { id: 'outside', policy: POLICY }, untilAborted)
    const { lease } = await here.start('k', { id: 'gone', policy: POLICY })
    await lease?.heartbeat()
    const statusOf = async (id: string) => (await here.operations.get(id))?.status
    const freshnessOf = async (id: string) => (await here.operations.get(id))?.judgement.freshness
    await vi.waitFor(async () => expect(await freshnessOf('inside')).toBe('fresh'))
    child.kill('SIGSTOP')
    const seen = { timeout: 20_000, interval: 100 }
    // Nobody judges while it is stopped, but its own operation and the one that is gone fall silent for too long.
    await vi.waitFor(async () => {
      expect(await freshnessOf('inside')).toBe('likely_stale')
      expect(await freshnessOf('gone')).toBe('likely_stale')
    }, seen)
    expect(await statusOf('gone')).toBe('running')
    child.kill('SIGCONT')
    await vi.waitFor(async () => expect(await statusOf('gone')).toBe('failed'), seen)
    const outcome = await here.operation('gone').outcome()
    const evidence = outcome.status === 'failed' ? outcome.reconciliation?.evidence : undefined
    expect(evidence?.graceMs).toBeGreaterThan(600)
    expect(await statusOf('outside')).toBe('running')
    expect(await statusOf('inside')).toBe('running')
    expect(await freshnessOf('inside')).toBe('fresh')
  } finally {
    child.kill('SIGCONT')
    child.send('end')
    await exited
  }
})
