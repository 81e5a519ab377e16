/** How the whole installation stands, as people see it, and what operators do there. */
import { describe, expect, test } from 'vitest'
import { servedTo } from '../http/support/callers.ts'
import { ordersIn } from '../http/support/orders.ts'
import { type Served, served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, type OpenedPage, opened, PATIENCE_MS } from './support/browser.ts'

const FOLLOWED = { readModels: { follow: 'at_start' } } as const
const OWNER = '/v1/workspaces/w/owners/o'
const PATIENCE = { timeout: PATIENCE_MS }

async function begun({ post }: Pick<Served, 'post'>, kind: string, more: object = {}) {
  const { body } = await post(`${OWNER}/operations`, { kind, claim: true, ...more })
  const { id, leaseEpoch } = body
  return {
    id,
    complete: () => post(`${OWNER}/operations/${id}:complete`, { leaseEpoch, result: 1 }),
    fail: () => post(`${OWNER}/operations/${id}:fail`, { leaseEpoch, error: { message: 'x' } }),
    beat: () => post(`${OWNER}/operations/${id}:heartbeat`, { leaseEpoch }),
  }
}

async function signedIn(url: string, headers: Readonly<Record<string, string>>): Promise<OpenedPage> {
  const page = await opened(`${url}/login?next=%2Foverview`)
  await page.getByLabel('API key').fill(headers.authorization?.replace('Bearer ', '') ?? '')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  return page
}

/** The cells of a table's row, by its heading. */
function rowOf(page: OpenedPage, heading: string) {
  return page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: heading, exact: true }) })
}

describe.skipIf(!needs('chromium'))('the overview', () => {
  test('D8, B3: counts what the lists show, draws what happened by kind, and says how the server stands', async () => {
    const server = await served(FOLLOWED)
    const running = await begun(server, 'export')
    await (await begun(server, 'export')).complete()
    await (await begun(server, 'import')).fail()
    const page = await opened(`${server.url}/overview`)
    await page.getByRole('link', { name: '1 running' }).waitFor()
    await page.getByRole('link', { name: '1 completed' }).waitFor()
    await page.getByRole('link', { name: '1 failed' }).waitFor()
    await page.getByText('Nobody is overdue.').waitFor()
    await page.getByText('Commands are taken.').waitFor()
    await expect.poll(() => rowOf(page, 'operation-index').innerText(), PATIENCE).toMatch(/following\s+0\s+0$/)
    await page.getByText('None in 30 days: everybody spoke for themselves.').waitFor()
    // What is drawn is told in a sentence, and as a table.
    const exports = page.getByRole('article', { name: 'export' })
    await exports
      .getByRole('img', { name: 'Transitions per minute: 2 started, 1 completed, 0 failed, 0 reconciled' })
      .waitFor()
    const asTables = exports.getByText('As a table')
    await asTables.first().click()
    const table = exports.getByRole('region', { name: 'Transitions per minute, as a table' })
    const cells = await table.getByRole('row').nth(1).getByRole('cell').allInnerTexts()
    expect(cells.map(Number).reduce((sum, value) => sum + value, 0)).toBeGreaterThan(0)
    await page.getByRole('article', { name: 'import' }).getByText('Run time and queue wait').waitFor()
    await expectAccessible(page)
    // It goes on by itself.
    await running.complete()
    await page.getByRole('link', { name: '2 completed' }).waitFor()
    await page.getByRole('link', { name: '2 completed' }).click()
    await page.getByRole('heading', { name: 'Operations' }).waitFor()
    expect(page.url()).toBe(`${server.url}/?statuses=completed`)
  })

  test('says that there is nothing where there is nothing, and keeps its span in the address', async () => {
    const { url } = await served(FOLLOWED)
    const page = await opened(`${url}/overview`)
    await page.getByText('Nothing happened in this time.').waitFor()
    await page.getByText('No breaker is open.').waitFor()
    await page.getByRole('link', { name: 'Last 7 days' }).click()
    await page.getByRole('heading', { name: 'What happened: last 7 days, by kind and hour' }).waitFor()
    expect(page.url()).toBe(`${url}/overview?span=7d`)
    await expectAccessible(page)
  })

  test('fits a screen of 360 px, with charts and switches', async () => {
    const server = await served(FOLLOWED)
    await (await begun(server, 'a-kind-with-a-rather-long-name-for-a-small-screen')).complete()
    const page = await opened(`${server.url}/overview`, { viewport: { width: 360, height: 740 } })
    await page.getByRole('img', { name: /^Transitions per minute/ }).waitFor()
    await page.getByRole('group', { name: 'Mode of every kind' }).waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await expectAccessible(page)
  })

  test('A21: shows what it knows, and says that it is older, while the server is away', async () => {
    const server = await served(FOLLOWED)
    await begun(server, 'export')
    const page = await opened(`${server.url}/overview`)
    await page.getByRole('link', { name: '1 running' }).waitFor()
    await server.close()
    await page.getByText('What is shown is older. The server does not answer.').first().waitFor()
    await page.getByRole('link', { name: '1 running' }).waitFor()
  })
})

describe.skipIf(!needs('chromium'))('an operator at the overview', () => {
  test('B12: changes the mode of a kind with a reason, which is on record with who gave it', async () => {
    const server = await servedTo({ mara: { '*': ['operator'] } }, FOLLOWED)
    const { post, as } = server
    await begun({ post: (place, body) => post(place, body, as('mara')) }, 'export')
    const page = await signedIn(server.url, as('mara').headers)
    const modes = page.getByRole('group', { name: 'Mode of export' })
    await modes.getByRole('button', { name: 'observe' }).click()
    const dialog = page.getByRole('dialog', { name: 'Mode of export: observe' })
    await dialog.getByText('Nobody is ended').waitFor()
    await dialog.getByRole('button', { name: 'Set to observe' }).click()
    await dialog.getByText('Say why').waitFor()
    expect(await ordersIn(server)).toEqual([])
    await expectAccessible(page)
    await dialog.getByLabel('Reason').fill('the queue is being moved')
    await dialog.getByRole('button', { name: 'Set to observe' }).click()
    await dialog.waitFor({ state: 'detached' })
    await rowOf(page, 'export').getByText('the queue is being moved').waitFor()
    await modes.getByRole('button', { name: 'observe', pressed: true }).waitFor()
    expect(await ordersIn(server)).toEqual([
      {
        type: 'ReconcilerModeChanged',
        facts: { kind: 'export', mode: 'observe' },
        content: { reason: 'the queue is being moved' },
        actor: 'mara',
      },
    ])
    expect(server.node.reconciler.modeOf('export')).toBe('observe')
  })

  test('B11: sees a breaker that holds, and releases it with a reason; then they are reconciled', async () => {
    const silent = { startGraceMs: 1_500, heartbeatIntervalMs: 400, lateAfterMs: 700, staleAfterMs: 1_500 }
    // However many fall silent before the others do: it holds from the first one on.
    const settings = { logLevel: 'silent', breakerOperationsMax: 0, breakerShareMax: 0 } as const
    const server = await served({ ...FOLLOWED, settings })
    for (const id of ['a', 'b', 'c']) await (await begun(server, 'crawl', { id, policy: silent })).beat()
    const page = await opened(`${server.url}/overview`)
    await page.getByText('seemed dead at once').waitFor()
    await page.getByRole('link', { name: '3 likely stale' }).waitFor()
    await page.getByText('Longest overdue').waitFor()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Release' }).click()
    const dialog = page.getByRole('dialog', { name: 'Release the breaker of crawl' })
    await dialog.getByLabel('Reason').fill('the machine is gone for good')
    await dialog.getByRole('button', { name: 'Release' }).click()
    await page.getByRole('link', { name: '3 reconciled' }).waitFor()
    await page.getByText('No breaker is open.').waitFor()
    await page.getByRole('img', { name: 'Last 30 days, all kinds (UTC): 3 in all, 3 today' }).waitFor()
    expect(await ordersIn(server)).toMatchObject([
      { type: 'ReconcilerBreakerReleased', content: { reason: 'the machine is gone for good' }, actor: 'anonymous' },
    ])
  })

  test('in name only is offered nothing to change: viewers look, and see what is theirs', async () => {
    const callers = { vic: { '*': ['viewer'] }, wim: { w: ['operator'] } } as const
    const server = await servedTo(callers, FOLLOWED)
    const { post, as } = server
    await begun({ post: (place, body) => post(place, body, as('wim')) }, 'export')
    const page = await signedIn(server.url, as('vic').headers)
    await page.getByText('Changing any of it takes the role operator').waitFor()
    await rowOf(page, 'export').getByText('enforce').waitFor()
    expect(await page.getByRole('button', { name: 'observe' }).count()).toBe(0)
    const other = await signedIn(server.url, as('wim').headers)
    await other.getByRole('link', { name: '1 running' }).waitFor()
    const panel = other.getByRole('region', { name: 'Reconciler' })
    await panel.getByText('wim has no role in workspace * that may read').waitFor()
  })
})
