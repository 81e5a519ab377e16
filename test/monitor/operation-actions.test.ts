/** What people do to an operation from its page: by role, with a reason, once. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { servedTo } from '../http/support/callers.ts'
import { type Served, served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible } from './support/browser.ts'
import {
  card,
  commands,
  DEAD_AT_ONCE,
  openedOperation,
  overdue,
  PATIENT,
  sentence,
  shows,
} from './support/operation-rig.ts'

const HISTORY = '/v1/workspaces/w/owners/o/operations/a/history'

async function lastEvent({ get }: Pick<Served, 'get'>, headers: Readonly<Record<string, string>> = {}) {
  const { body } = await get(HISTORY, { headers })
  return body.events.at(-1)
}

const button = (page: Page, name: string) => card(page, 'actions').getByRole('button', { name })

/** Opens the dialog of an action and fills in why; what has to be typed is left. */
async function asked(page: Page, name: string, reason: string) {
  await button(page, name).click()
  const dialog = page.getByRole('dialog', { name })
  await dialog.getByLabel(/^Reason/).fill(reason)
  return { dialog, submit: dialog.getByRole('button', { name, exact: true }) }
}

describe.skipIf(!needs('chromium'))('an action on the page of an operation', () => {
  test('request cancel: takes a reason, tells what will come of it, and is on record with it', async () => {
    const server = await served()
    const policy = { ...PATIENT, cancelGraceMs: 300_000 }
    await commands(server).register('a', { claim: { claimant: { id: 'w1' } }, policy })
    const page = await openedOperation(server, 'a')
    await button(page, 'Request cancel').click()
    const dialog = page.getByRole('dialog', { name: 'Request cancel' })
    await shows(dialog, 'Its worker “w1” is asked to stop. If it has not after 5 min, the cancel is forced')
    const submit = dialog.getByRole('button', { name: 'Request cancel' })
    expect(await submit.isEnabled()).toBe(false)
    await dialog.getByLabel(/^Reason/).fill('  ')
    expect(await submit.isEnabled()).toBe(false)
    await dialog.getByLabel(/^Reason/).fill('customer asked')
    await expectAccessible(page)
    await submit.click()
    await shows(page.locator('.done'), /^Request cancel: done, on record at position \d+\./)
    expect(await lastEvent(server)).toMatchObject({ type: 'CancelRequested', content: { reason: 'customer asked' } })
    await shows(sentence(page), 'A cancel was asked for. It is forced in')
    await shows(card(page, 'actions'), 'A cancel of operation a is asked for already.')
    expect(await button(page, 'Request cancel').isEnabled()).toBe(false)
  })

  test('force cancel: only once its consequence is typed', async () => {
    const server = await served()
    await commands(server).register('a', { claim: true, policy: PATIENT })
    const page = await openedOperation(server, 'a')
    const { dialog, submit } = await asked(page, 'Force cancel', 'machine is gone')
    expect(await submit.isEnabled()).toBe(false)
    await dialog.getByLabel(/Type “cancelled” to confirm/).fill('yes')
    expect(await submit.isEnabled()).toBe(false)
    await dialog.getByLabel(/Type “cancelled” to confirm/).fill('Cancelled')
    await submit.click()
    await shows(page.locator('[data-status]').first(), 'cancelled')
    expect(await lastEvent(server)).toMatchObject({
      type: 'OperationCancelled',
      content: { reason: 'machine is gone' },
    })
  })

  test('reconcile now: speaks the verdict that the server prepared, with the reason of whoever looked', async () => {
    const server = await served({ reconciler: false })
    await commands(server).register('a', { claim: true, policy: DEAD_AT_ONCE })
    await overdue(server, 'a')
    const page = await openedOperation(server, 'a')
    const { dialog, submit } = await asked(page, 'Reconcile now', 'looked: the pod is gone')
    await shows(dialog, 'It is failed for good. The worker of this operation gave no sign of life')
    await dialog.getByLabel(/Type “failed” to confirm/).fill('failed')
    await submit.click()
    await shows(page.locator('[data-status]').first(), 'failed')
    expect(await lastEvent(server)).toMatchObject({
      type: 'OperationFailed',
      facts: { reasonCode: 'run.stale_running', reconciliation: { evidence: { rule: 'first_sign' } } },
      content: { error: { message: 'looked: the pod is gone' } },
    })
  })

  test('retry as new: the same work again, naming this one, with what its phases gave', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    const fields = { name: 'March', labels: { team: 'x' }, input: { month: 3 }, key: 'k1' }
    const policy = { ...PATIENT, maxRuntimeMs: 3_600_000 }
    const { number, leaseEpoch } = await register('a', { ...fields, claim: true, policy })
    await tell('a', 'start-phase', { leaseEpoch, phase: 'read' })
    await tell('a', 'complete-phase', { leaseEpoch, phase: 'read', result: { rows: 12 } })
    await tell('a', 'fail', { leaseEpoch, error: { message: 'disk full' } })
    const page = await openedOperation(server, 'a')
    const { dialog, submit } = await asked(page, 'Retry as new', 'there is room again')
    expect(await dialog.getByLabel('Take over the results of one completed phase').isChecked()).toBe(true)
    await submit.click()
    const link = page.locator('.done').getByRole('link')
    await link.waitFor()
    const id = (await link.textContent())?.replace('Go to ', '')
    const { body } = await server.get(`/v1/workspaces/w/owners/o/operations/${id}`)
    expect(body).toMatchObject({
      ...fields,
      kind: 'export',
      source: 'retry: there is room again',
      retryOf: { id: 'a', number },
      phases: [{ name: 'read', status: 'completed', result: { rows: 12 } }],
    })
    expect((await server.get(`/v1/workspaces/w/owners/o/operations/${id}/outlook`)).body.policy).toMatchObject(policy)
    await shows(card(page, 'retries'), String(id))
    await link.click()
    await card(page, 'facts')
      .getByRole('link', { name: `a (#${number})` })
      .waitFor()
  })

  test('a refusal is shown in the words of the server, and the dialog stays', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    const { leaseEpoch } = await register('a', { claim: true, policy: PATIENT })
    const page = await openedOperation(server, 'a')
    const { dialog, submit } = await asked(page, 'Force cancel', 'too late')
    await dialog.getByLabel(/to confirm/).fill('cancelled')
    await tell('a', 'complete', { leaseEpoch, result: 1 })
    await submit.click()
    await shows(dialog.getByRole('alert'), /operation a/)
    await shows(dialog.getByRole('alert'), /completed/)
    expect(await lastEvent(server)).toMatchObject({ type: 'OperationCompleted' })
  })

  test('an answer that was lost: pressed again, it is the same command and has one effect', async () => {
    const server = await served()
    await commands(server).register('a', { claim: true, policy: PATIENT })
    const page = await openedOperation(server, 'a')
    const keys: (string | undefined)[] = []
    await page.route('**/operations/a:cancel', async (route) => {
      keys.push(route.request().headers()['idempotency-key'])
      if (keys.length > 1) return route.continue()
      await route.fetch()
      return route.abort()
    })
    const { dialog, submit } = await asked(page, 'Request cancel', 'lost')
    await submit.click()
    await shows(dialog.getByRole('alert'), 'Whether it was done is not known: press again')
    await submit.click()
    await shows(page.locator('.done'), 'Request cancel: done')
    expect(keys).toHaveLength(2)
    expect(keys[1]).toBe(keys[0])
    const { events } = (await server.get(HISTORY)).body
    expect(events.filter(({ type }: { type: string }) => type === 'CancelRequested')).toHaveLength(1)
  })

  test('is for those whose role allows it: a viewer sees why not, an operator does it under his name', async () => {
    const server = await servedTo({ vera: { w: ['viewer'] }, otto: { w: ['operator'] } })
    const otto = server.as('otto').headers
    await commands(server, { headers: otto }).register('a', { claim: true, policy: PATIENT })
    const looking = await openedOperation(server, 'a', { extraHTTPHeaders: server.as('vera').headers })
    const all = card(looking, 'actions').getByRole('button')
    expect(await all.count()).toBe(4)
    expect(await card(looking, 'actions').locator('button:enabled').count()).toBe(0)
    await shows(
      card(looking, 'actions'),
      'Your roles in the workspace “w” do not allow it; one of these does: operator, admin.',
    )
    await expectAccessible(looking)
    const acting = await openedOperation(server, 'a', { extraHTTPHeaders: otto })
    const { submit } = await asked(acting, 'Request cancel', 'by otto')
    await submit.click()
    await shows(acting.locator('.done'), 'Request cancel: done')
    expect(await lastEvent(server, otto)).toMatchObject({
      type: 'CancelRequested',
      content: { reason: 'by otto' },
      metadata: { actor: 'otto' },
    })
    await shows(card(looking, 'events'), 'otto')
  })

  test('with the keyboard alone: to the actions, into the dialog, a reason, done; Escape leaves it as it was', async () => {
    const server = await served()
    await commands(server).register('a', { claim: true, policy: PATIENT })
    const page = await openedOperation(server, 'a')
    await button(page, 'Request cancel').waitFor()
    await page.keyboard.press('a')
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Request cancel')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    await page.keyboard.press('Escape')
    // Hidden it has no role any more; it is gone once the page has heard that it was closed.
    await page.locator('dialog').waitFor({ state: 'detached' })
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Request cancel')
    await page.keyboard.press('Enter')
    await dialog.waitFor()
    await page.keyboard.type('no mouse here')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await shows(page.locator('.done'), 'Request cancel: done')
    expect(await lastEvent(server)).toMatchObject({ type: 'CancelRequested', content: { reason: 'no mouse here' } })
  })
})
