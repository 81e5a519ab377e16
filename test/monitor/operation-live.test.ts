/** The page of one operation while it is looked at: events, time that passes, a server that goes away. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { PATIENCE_MS } from './support/browser.ts'
import { card, commands, openedOperation, PATIENT, pageOf, sentence, shows } from './support/operation-rig.ts'

describe.skipIf(!needs('chromium'))('the page of an operation that is looked at', () => {
  test('follows what happens to it: status, machine, events, facts, actions', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    await register('a', { policy: PATIENT })
    const page = await openedOperation(server, 'a')
    await shows(page.getByRole('status').filter({ hasText: 'live' }), 'live')
    await shows(page.locator('[data-status]').first(), 'provisioning')
    const { leaseEpoch } = await tell('a', 'claim', { claimant: { id: 'w1' } })
    await shows(page.locator('[data-status]').first(), 'running')
    await shows(card(page, 'facts'), 'worker “w1”')
    await page.locator('.machine-state-current[data-state="running"]').waitFor()
    await card(page, 'events').locator('[data-event="OperationStarted"]').waitFor()
    await tell('a', 'progress', { leaseEpoch, processed: 1, total: 4 })
    await shows(card(page, 'facts'), '1 of 4')
    await tell('a', 'complete', { leaseEpoch, result: { rows: 7 } })
    await shows(sentence(page), 'It completed.')
    await shows(card(page, 'facts'), '"rows": 7')
    expect(await card(page, 'actions').getByRole('button', { name: 'Retry as new' }).isEnabled()).toBe(true)
    expect(await card(page, 'events').locator('tbody').count()).toBe(4)
  })

  test('times and the sentence go on without asking again; a deadline that passes is met', async () => {
    const server = await served({ reconciler: false })
    const { register } = commands(server)
    await register('a', { claim: true, policy: PATIENT })
    const page = await openedOperation(server, 'a')
    await shows(sentence(page), /^Claimed .* ago and not heard of since; this kind is reconciled after .*, in /)
    await shows(page.getByRole('status').filter({ hasText: 'live' }), 'live')
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    for (let seconds = 0; seconds < 3; seconds++) {
      const before = await sentence(page).textContent()
      await expect.poll(() => sentence(page).textContent(), { timeout: PATIENCE_MS }).not.toBe(before)
    }
    expect(asked.filter((url) => url.includes('/v1/workspaces/'))).toEqual([])
    await register('b', { claim: true, policy: { ...PATIENT, startGraceMs: 5_000 } })
    await page.goto(`${server.url}${pageOf('b')}`)
    await page.locator('[data-freshness="likely_stale"]').waitFor()
    // It asks once more then, for the verdict that may be spoken.
    await card(page, 'actions').locator('button:enabled', { hasText: 'Reconcile now' }).waitFor()
    await shows(page.locator('[data-part="guidance"]'), 'No reconciler runs in this server')
  })

  test('events of others leave it alone', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    await register('a')
    const page = await openedOperation(server, 'a')
    await shows(page.getByRole('status').filter({ hasText: 'live' }), 'live')
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await register('b')
    await tell('b', 'abort')
    await tell('a', 'abort')
    await shows(page.locator('[data-status]').first(), 'aborted')
    expect(asked.filter((url) => url.includes('/outlook'))).toHaveLength(1)
  })

  test('a server that restarts in the middle: what was known stays, and it goes on by itself', async () => {
    const location = path.join(freshFolder(), 'verdict.db')
    const first = await served({ location })
    await commands(first).register('a', { name: 'Survivor', policy: PATIENT })
    const page = await openedOperation(first, 'a')
    await shows(page.getByRole('status').filter({ hasText: 'live' }), 'live')
    await first.close()
    await shows(page.locator('.live'), 'reconnecting')
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Survivor')
    const second = await served({ location, port: first.address.port })
    await commands(second).tell('a', 'claim', { claimant: { id: 'after' } })
    await shows(page.locator('[data-status]').first(), 'running')
    await shows(card(page, 'facts'), 'worker “after”')
    await shows(page.locator('.live'), 'live')
  })

  test('a part that can not be told takes no other with it', async () => {
    const server = await served()
    await commands(server).register('a', { name: 'Whole' })
    const page = await openedOperation(server, 'a')
    await page.route('**/timeline*', (route) =>
      route.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: JSON.stringify({ title: 'Not now', status: 503, detail: 'the log rests', code: 'store_unavailable' }),
      }),
    )
    await page.reload()
    await shows(card(page, 'timeline'), 'Not now: The log rests.')
    await shows(page.getByRole('heading', { level: 1 }), 'Whole')
    await card(page, 'events').getByRole('table').waitFor()
    await page.unroute('**/timeline*')
    // Asked again by itself after a while.
    await shows(card(page, 'timeline'), 'The same as a table')
  })
})
