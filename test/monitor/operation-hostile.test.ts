/** What people and programs wrote is text on the page of an operation, whatever they wrote. */
import { describe, expect, test } from 'vitest'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible } from './support/browser.ts'
import { card, commands, openedOperation, PATIENT, shows } from './support/operation-rig.ts'

const IMAGE = '<img src=x onerror="window.hacked=1">'
const SCRIPT = '"></pre></code><script>window.hacked=2</script>'
const LINK = 'javascript:window.hacked=3'
const TURNED = '\u202egnp.exe\u202c {{7*7}} <%= 7 %>'
const LONG = 'x'.repeat(3_000)

describe.skipIf(!needs('chromium'))('hostile text on the page of an operation', () => {
  test('is shown as it was written, runs nothing and breaks out of nothing', async () => {
    const server = await served()
    const { register, tell, send } = commands(server)
    const id = `${IMAGE}/../a`
    const input = { [SCRIPT]: [IMAGE, LINK], __proto__x: { constructor: 'y' }, long: LONG }
    const { leaseEpoch } = await register(id, {
      kind: `k${IMAGE}`,
      name: `${IMAGE}${SCRIPT}${TURNED}`,
      labels: { [LINK]: SCRIPT },
      source: LINK,
      input,
      key: IMAGE,
      policy: { ...PATIENT, retry: { maxAttempts: 2 } },
      claim: { claimant: { id: SCRIPT, host: IMAGE, version: LINK } },
    })
    await tell(id, 'start-phase', { leaseEpoch, phase: IMAGE })
    await tell(id, 'progress', { leaseEpoch, message: `${SCRIPT}${LONG}` })
    await tell(id, 'retry', { leaseEpoch, error: { message: SCRIPT, details: { [IMAGE]: 1 } }, notBeforeAt: 0 })
    const late = `/v1/workspaces/w/owners/o/operations/${encodeURIComponent(id)}:complete`
    await server.post(late, { leaseEpoch, result: { [SCRIPT]: IMAGE } })
    await send('/waits', { mode: 'all', ids: [id], waitId: IMAGE, runId: SCRIPT })
    await tell(id, 'cancel', { reason: `${IMAGE}${LONG}` })

    const page = await openedOperation(server, id)
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(`${IMAGE}${SCRIPT}${TURNED}`)
    await shows(card(page, 'facts'), IMAGE)
    await shows(card(page, 'contradictions'), SCRIPT.slice(-30, -9))
    const events = card(page, 'events')
    const data = events.getByRole('button', { name: /^Data of/ })
    for (let place = 0; place < (await data.count()); place++) await data.nth(place).click()
    await shows(events.locator('.event-data').first(), 'window.hacked=3')
    await card(page, 'timeline').getByText('The same as a table').click()
    await card(page, 'facts').locator('summary').first().click()

    expect(await page.evaluate('window.hacked')).toBe(undefined)
    expect(await page.locator('main img, main script, main iframe').count()).toBe(0)
    expect(await page.locator('a[href^="javascript:"]').count()).toBe(0)
    expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true)
    await expectAccessible(page)
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)

    await card(page, 'actions').getByRole('button', { name: 'Retry as new' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel(/^Reason/).fill(`${SCRIPT} '$(touch /tmp/x)'`)
    await dialog.getByRole('button', { name: 'Retry as new' }).click()
    await page.locator('.done').getByRole('link').waitFor()
    expect(await page.evaluate('window.hacked')).toBe(undefined)
  })
})
