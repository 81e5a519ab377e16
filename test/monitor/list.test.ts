/** The list of operations in a browser: what rows say, what is counted, and that all of it stands in the address. */
import { describe, expect, test } from 'vitest'
import { type Served, served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, opened, PATIENCE_MS } from './support/browser.ts'
import { cellsOf, expectLive, expectRows, facetCount, idsOn, rowOf } from './support/listed.ts'

/** Silent from the beginning, and nobody ends it for hours. */
const SILENT = { provisioningTimeoutMs: 1, reconcileDelayMs: 36_000_000 }
/** Silent from the beginning, and ended for it. */
const LOST = { provisioningTimeoutMs: 1 }
const KINDS = { export: { phases: ['read', 'write'] } }

async function registered({ post }: Served, owner: string, body: Readonly<Record<string, unknown>>): Promise<number> {
  const answer = await post(`/v1/workspaces/default/owners/${owner}/operations`, body)
  expect(answer.status).toBe(201)
  return answer.body.leaseEpoch
}

async function done({ post }: Served, id: string, verb: string, body: Readonly<Record<string, unknown>> = {}) {
  expect(await post(`/v1/operations/${id}:${verb}`, body)).toMatchObject({ status: 200 })
}

/** One of each: at work with numbers and without, silent, ended well and badly, reconciled. */
async function manifold(): Promise<Served> {
  const server = await served({ kinds: KINDS })
  const atWork = await registered(server, 'acme', { id: 'at-work', kind: 'export', name: 'March report', claim: true })
  await done(server, 'at-work', 'start-phase', { leaseEpoch: atWork, phase: 'read' })
  await done(server, 'at-work', 'complete-phase', { leaseEpoch: atWork, phase: 'read' })
  await done(server, 'at-work', 'start-phase', { leaseEpoch: atWork, phase: 'write' })
  await done(server, 'at-work', 'progress', { leaseEpoch: atWork, processed: 3, total: 4 })
  const claimed = await registered(server, 'acme', { id: 'claims', kind: 'import', claim: true })
  await done(server, 'claims', 'start-phase', { leaseEpoch: claimed, phase: 'first' })
  await done(server, 'claims', 'progress', { leaseEpoch: claimed, percent: 99 })
  const completes = await registered(server, 'globex', { id: 'completes', kind: 'import', claim: true })
  await done(server, 'completes', 'complete', { leaseEpoch: completes, result: 1 })
  const fails = await registered(server, 'globex', { id: 'fails', kind: 'import', claim: true })
  await done(server, 'fails', 'fail', { leaseEpoch: fails, error: { message: 'no such table' } })
  await registered(server, 'globex', { id: 'lost', kind: 'import', policy: LOST })
  await expect
    .poll(async () => (await server.get('/v1/operations/lost')).body.status, { timeout: PATIENCE_MS })
    .toBe('failed')
  // Last, because that it is silent is an event as well, whose time is the reconciler's.
  await registered(server, 'globex', { id: 'silent', kind: 'import', policy: SILENT })
  return server
}

describe.skipIf(!needs('chromium'))('the list', () => {
  test('tells of each operation what there is to tell, and of none what is not known', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await expectRows(page, ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
    const time = expect.stringMatching(/^(just now|(\d+ min )?\d+ (ms|s|min)( ago)?)$/)
    expect(await cellsOf(page, 'at-work')).toEqual({
      Status: 'running fresh',
      Kind: 'export',
      Name: 'March report',
      Id: 'at-work',
      Owner: 'acme',
      Phase: '1/2 write 75 %',
      'In status': time,
      'Last sign': time,
      'Att.': '1',
      Started: time,
      Ended: '–',
      Duration: time,
      Reason: '–',
    })
    expect(await rowOf(page, 'at-work').getByRole('progressbar').getAttribute('aria-valuenow')).toBe('75')
    // Of how many is not known, and a percentage that is only claimed is none.
    expect(await cellsOf(page, 'claims')).toMatchObject({ Status: 'running fresh', Phase: 'first' })
    expect(await rowOf(page, 'claims').getByRole('progressbar').count()).toBe(0)
    expect(await cellsOf(page, 'completes')).toMatchObject({ Status: 'completed', Ended: time, Reason: '–' })
    expect(await cellsOf(page, 'fails')).toMatchObject({
      Status: 'failed',
      Reason: 'It failed: an error was reported, which stands among its diagnostics.',
    })
    expect(await cellsOf(page, 'silent')).toMatchObject({
      Status: 'provisioning likely stale',
      'Last sign': '–',
      Started: '–',
      Reason: expect.stringMatching(/^No worker for .+; this kind is reconciled after 10 h, in 9 h 59 min\.$/),
    })
    await expectAccessible(page)
  })

  test('shows what is likely stale without anything that moves, and what was reconciled unlike what failed', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await expectLive(page)
    await rowOf(page, 'lost').waitFor()
    expect(await rowOf(page, 'at-work').locator('.pulse').count()).toBe(1)
    expect(await rowOf(page, 'silent').locator('.pulse').count()).toBe(0)
    expect((await cellsOf(page, 'lost')).Status).toBe('failed reconciled')
    const look = async (id: string) => {
      const badge = `.row[data-operation="${id}"] [data-status]`
      const color = await page.evaluate(`getComputedStyle(document.querySelector('${badge}')).color`)
      return { color, icon: await page.locator(`${badge} path`).getAttribute('d') }
    }
    const [lost, failed] = [await look('lost'), await look('fails')]
    expect(lost.color).not.toBe(failed.color)
    expect(lost.icon).not.toBe(failed.icon)
  })

  test('counts what its filter leaves, as of the position of the rows, and narrows it by a click; back widens it again', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await rowOf(page, 'lost').waitFor()
    expect(await facetCount(page, 'Status', 'failed')).toBe('2')
    expect(await facetCount(page, 'Freshness', 'likely_stale')).toBe('1')
    expect(await facetCount(page, 'Kind', 'import')).toBe('5')
    expect(await facetCount(page, 'Reason', 'run.stale_queued')).toBe('1')
    const asOf = page.locator('.as-of')
    await expect
      .poll(() => asOf.innerText(), { timeout: PATIENCE_MS })
      .toMatch(/^6 operations\s+as of position \d+\s+up to date with the log$/)
    await page.getByRole('link', { name: /^failed/ }).click()
    await expectRows(page, ['lost', 'fails'])
    expect(new URL(page.url()).search).toBe('?statuses=failed')
    expect(await facetCount(page, 'Kind', 'import')).toBe('2')
    expect(await facetCount(page, 'Status', 'completed')).toBe('')
    await page.getByRole('link', { name: /^reconciled/ }).click()
    await expectRows(page, ['lost'])
    await page.goBack()
    await expectRows(page, ['lost', 'fails'])
    await page.reload()
    await expectRows(page, ['lost', 'fails'])
    await page.getByRole('link', { name: 'Without statuses failed' }).click()
    await expectRows(page, ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
  })

  test('has views for who looks after it', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    const views = page.getByRole('navigation', { name: 'Views' })
    const seen = async (view: string, ids: readonly string[]) => {
      await views.getByRole('link', { name: view }).click()
      await expectRows(page, ids)
      expect(await views.locator('[aria-current]').innerText()).toBe(view)
      expect(await page.title()).toBe(`${view} – Verdict`)
    }
    await seen('Needs attention', ['silent'])
    await seen('Running', ['silent', 'claims', 'at-work'])
    await seen('Failed 24 h', ['lost', 'fails'])
    await seen('Reconciled 7 d', ['lost'])
    await seen('All', ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
  })

  test('finds by the beginning of a name or an id, and by conditions that are typed', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await rowOf(page, 'lost').waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('march')
    await expectRows(page, ['at-work'])
    expect(new URL(page.url()).search).toBe('?text=march')
    await page.keyboard.press('Escape')
    await expectRows(page, ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
    await page.keyboard.press('/')
    await page.keyboard.type('owner:acme kind:import c')
    await page.keyboard.press('Enter')
    await expectRows(page, ['claims'])
    expect(new URL(page.url()).search).toBe('?owners=acme&kinds=import&text=c')
    await page.getByRole('link', { name: 'Clear all' }).click()
    await expectRows(page, ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
  })

  test('sorts, and keeps that in the address', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await rowOf(page, 'lost').waitFor()
    await page.getByLabel('Sort').selectOption('Longest running')
    await expectRows(page, ['at-work', 'claims'])
    expect(new URL(page.url()).search).toBe('?sort=longest_running')
    await page.getByLabel('Ended').selectOption('last hour')
    await expectRows(page, [])
    await page.getByRole('heading', { name: 'No operation is left by these conditions' }).waitFor()
  })

  test('goes through pages, each row once, there and back, also after a reload', async () => {
    const server = await served()
    const all = Array.from({ length: 120 }, (_, i) => `op-${String(i).padStart(3, '0')}`)
    for (const id of all) await registered(server, 'acme', { id, kind: 'k' })
    const newest = all.toReversed()
    const page = await opened(server.url)
    await expectRows(page, newest.slice(0, 50))
    await page.getByRole('link', { name: 'Next' }).click()
    await expectRows(page, newest.slice(50, 100))
    await page.keyboard.press('n')
    await expectRows(page, newest.slice(100))
    await page.getByRole('link', { name: 'Previous' }).click()
    await expectRows(page, newest.slice(50, 100))
    await page.reload()
    await expectRows(page, newest.slice(50, 100))
    await page.goBack()
    await page.goBack()
    await expectRows(page, newest.slice(50, 100))
    await page.getByRole('link', { name: 'First page' }).click()
    await expectRows(page, newest.slice(0, 50))
  })

  test('goes through the pages of a view whose time is counted back from now', async () => {
    const server = await served()
    for (let i = 0; i < 51; i++) {
      const leaseEpoch = await registered(server, 'acme', { id: `op-${i}`, kind: 'k', claim: true })
      await done(server, `op-${i}`, 'fail', { leaseEpoch, error: { message: 'no' } })
    }
    const page = await opened(`${server.url}/?statuses=failed&ended=24h`)
    await rowOf(page, 'op-1').waitFor()
    await page.getByRole('link', { name: 'Next' }).click()
    await expectRows(page, ['op-0'])
    await page.reload()
    await expectRows(page, ['op-0'])
  })

  test('is gone through with the keyboard alone', async () => {
    const { url } = await manifold()
    const page = await opened(url)
    await rowOf(page, 'lost').waitFor()
    const focused = () => page.evaluate(`document.activeElement.closest('[data-operation]')?.dataset.operation`)
    await page.keyboard.press('j')
    expect(await focused()).toBe('silent')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    expect(await focused()).toBe('lost')
    await page.keyboard.press('Escape')
    expect(await focused()).toBe(undefined)
    await page.keyboard.press('j')
    expect(await focused()).toBe('fails')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/operations\/default\/globex\/fails\?number=\d+$/)
    await page.goBack()
    await expectRows(page, ['silent', 'lost', 'fails', 'completes', 'claims', 'at-work'])
  })

  test('runs nothing and breaks nothing, whatever names and messages are', async () => {
    const server = await served()
    const evil = [
      '<img src=x onerror="alert(1)">',
      '"><script>alert(1)</script>',
      '{{constructor.constructor("alert(1)")()}}',
      '\u202Eevil\u202C',
      'x'.repeat(120),
    ]
    for (const [i, name] of evil.entries()) {
      const leaseEpoch = await registered(server, 'acme', {
        id: `evil/${i}?&#%`,
        kind: name.slice(0, 60),
        name,
        claim: true,
      })
      const address = `/v1/operations/${encodeURIComponent(`evil/${i}?&#%`)}`
      expect(await server.post(`${address}:progress`, { leaseEpoch, message: name })).toMatchObject({ status: 200 })
      expect(await server.post(`${address}:cancel`, { reason: name })).toMatchObject({ status: 200 })
    }
    const page = await opened(server.url)
    await page.getByRole('link', { name: evil[0] ?? '', exact: true }).waitFor()
    expect(await page.locator('.row').count()).toBe(evil.length)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect((await cellsOf(page, 'evil/1?&#%')).Name).toBe(evil[1])
    await page.locator('.facet-link', { hasText: '<script>' }).click()
    await expectRows(page, ['evil/1?&#%'])
    await page.getByRole('link', { name: evil[1] ?? '', exact: true }).click()
    await page.waitForURL(/\/operations\/default\/acme\/evil%2F1%3F%26%23%25\?number=\d+$/)
  })

  test('says what is wrong with an address that nobody understands, and what to do', async () => {
    const { url } = await served()
    const page = await opened(`${url}/?colour=red`)
    await page.getByRole('heading', { name: 'The request does not fit' }).waitFor()
    expect(await page.getByRole('alert').innerText()).toContain('Clear the filters, or correct the address.')
    await expectAccessible(page)
    await page.getByRole('link', { name: 'List of operations' }).click()
    await page.getByRole('heading', { name: 'No operation yet' }).waitFor()
  })

  test.each([360, 768, 1280, 3840])('has room on %i pixels, without scrolling to the side', async (width) => {
    const { url } = await manifold()
    const page = await opened(url, { viewport: { width, height: 800 } })
    await rowOf(page, 'lost').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    expect(await idsOn(page)).toHaveLength(6)
    await expectAccessible(page)
    if (width > 900) return
    await page.getByText('Filters', { exact: true }).click()
    await page.getByRole('link', { name: /^failed/ }).click()
    await expectRows(page, ['lost', 'fails'])
  })
})
