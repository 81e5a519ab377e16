/** The list while things happen: rows change where they are, nothing moves by itself, and nothing is missed. */
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { servedTo } from '../http/support/callers.ts'
import { type Served, served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { opened, PATIENCE_MS } from './support/browser.ts'
import { cellsOf, expectLive, expectRows, facetCount, idsOn, rowOf } from './support/listed.ts'

async function claimed({ post }: Served, id: string): Promise<number> {
  const { body, status } = await post('/v1/operations', { id, kind: 'k', claim: true })
  expect(status).toBe(201)
  return body.leaseEpoch
}

async function completed({ post }: Served, id: string, leaseEpoch: number): Promise<void> {
  expect(await post(`/v1/operations/${id}:complete`, { leaseEpoch, result: 1 })).toMatchObject({ status: 200 })
}

describe.skipIf(!needs('chromium'))('the list, live', () => {
  test('writes what happens into its rows where they are, and keeps what is new behind a button', async () => {
    const server = await served()
    const a = await claimed(server, 'a')
    await claimed(server, 'b')
    const page = await opened(server.url)
    await expectLive(page)
    await expectRows(page, ['b', 'a'])
    await completed(server, 'a', a)
    await expect.poll(async () => (await cellsOf(page, 'a')).Status, { timeout: PATIENCE_MS }).toBe('completed')
    await claimed(server, 'c')
    await claimed(server, 'd')
    const newer = page.getByRole('button', { name: '2 newer' })
    await newer.waitFor()
    // The counts are of the newest position; the rows are where they were.
    expect(await facetCount(page, 'Status', 'running')).toBe('3')
    expect(await idsOn(page)).toEqual(['b', 'a'])
    await newer.click()
    await expectRows(page, ['d', 'c', 'a', 'b'])
    expect(await page.locator('.newer').count()).toBe(0)
  })

  test('asks no more often than once a second, however much happens', async () => {
    const server = await served()
    await claimed(server, 'a')
    const page = await opened(server.url)
    await expectLive(page)
    await expectRows(page, ['a'])
    let asked = 0
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/v1/operations') asked++
    })
    const began = performance.now()
    for (let i = 0; i < 300; i++) await claimed(server, `more-${i}`)
    await page.getByRole('button', { name: '50+ newer' }).waitFor()
    await expect.poll(() => facetCount(page, 'Status', 'running'), { timeout: PATIENCE_MS }).toBe('301')
    // The page, and the one row that it has no more.
    expect(asked).toBeLessThanOrEqual(2 * (Math.ceil((performance.now() - began) / 1_000) + 1))
    expect(await idsOn(page)).toEqual(['a'])
  })

  test('marks what its filter does not leave any more, and leaves it there', async () => {
    const server = await served()
    const a = await claimed(server, 'a')
    await claimed(server, 'b')
    const page = await opened(`${server.url}/?active=true`)
    await expectLive(page)
    await expectRows(page, ['b', 'a'])
    await completed(server, 'a', a)
    await expect
      .poll(async () => (await cellsOf(page, 'a')).Status, { timeout: PATIENCE_MS })
      .toBe('completed left this view')
    expect(await idsOn(page)).toEqual(['b', 'a'])
  })

  test('stands still while it is paused, and catches up afterwards', async () => {
    const server = await served()
    const a = await claimed(server, 'a')
    const page = await opened(server.url)
    await expectLive(page)
    await expectRows(page, ['a'])
    const asked: string[] = []
    await page.getByRole('button', { name: 'Pause live updates' }).click()
    await page.locator('.live-paused').waitFor()
    page.on('request', (request) => asked.push(request.url()))
    await completed(server, 'a', a)
    await claimed(server, 'b')
    // Another page of the same server shows that there would have been something to show.
    const other = await opened(server.url)
    await expectRows(other, ['b', 'a'])
    expect((await cellsOf(page, 'a')).Status).toBe('running fresh')
    expect(asked).toEqual([])
    await page.getByRole('button', { name: 'Pause live updates' }).click()
    await expect.poll(async () => (await cellsOf(page, 'a')).Status, { timeout: PATIENCE_MS }).toBe('completed')
    await page.getByRole('button', { name: '1 newer' }).click()
    await expectRows(page, ['b', 'a'])
  })

  test('goes on over a restart of the server, and misses nothing of what happened around it', async () => {
    const location = path.join(freshFolder(), 'verdict.db')
    const first = await served({ location })
    const { port } = first.address
    const a = await claimed(first, 'a')
    await claimed(first, 'b')
    const page = await opened(first.url)
    await expectLive(page)
    await expectRows(page, ['b', 'a'])
    await first.close()
    await page.locator('.live-reconnecting').waitFor()
    await rowOf(page, 'a').waitFor()
    const second = await served({ location, port })
    await completed(second, 'a', a)
    await claimed(second, 'c')
    await page.locator('.live-live').waitFor()
    await expect.poll(async () => (await cellsOf(page, 'a')).Status, { timeout: PATIENCE_MS }).toBe('completed')
    await page.getByRole('button', { name: '1 newer' }).click()
    await expectRows(page, ['c', 'a', 'b'])
    expect(await page.locator('.banner').count()).toBe(0)
  })

  test('begins afresh when the log behind its server is another one', async () => {
    const first = await served()
    const { port } = first.address
    await claimed(first, 'of-the-old-log')
    const page = await opened(first.url)
    await expectLive(page)
    await expectRows(page, ['of-the-old-log'])
    await first.close()
    const second = await served({ port })
    await claimed(second, 'of-the-new-log')
    await expectLive(page)
    await page.getByRole('button', { name: '1 newer' }).or(rowOf(page, 'of-the-new-log')).first().waitFor()
    await page.keyboard.press('r')
    await expectRows(page, ['of-the-new-log'])
  })

  test('shows who looks what they may read, and nothing else, not by events either', async () => {
    const server = await servedTo({
      ada: { red: ['viewer'] },
      root: { '*': ['admin'] },
    })
    const register = async (workspace: string, id: string) =>
      expect(
        await server.post(`/v1/workspaces/${workspace}/owners/o/operations`, { id, kind: 'k' }, server.as('root')),
      ).toMatchObject({ status: 201 })
    await register('red', 'hers')
    await register('blue', 'of-others')
    const page = await opened(server.url, { extraHTTPHeaders: { ...server.as('ada').headers } })
    await expectLive(page)
    await expectRows(page, ['hers'])
    expect(await page.locator('.as-of strong').innerText()).toBe('1 operation')
    await register('blue', 'another-of-others')
    await register('red', 'another-of-hers')
    await page.getByRole('button', { name: '1 newer' }).click()
    await expectRows(page, ['another-of-hers', 'hers'])
    await page.goto(`${server.url}/?workspaces=blue`)
    await page.getByRole('heading', { name: 'Not found' }).waitFor()
  })

  test('leads whoever is not known to the login', async () => {
    const { url } = await servedTo({ ada: { w: ['viewer'] } })
    const page = await opened(`${url}/?statuses=failed`)
    await page.waitForURL(`${url}/login?next=%2F%3Fstatuses%3Dfailed`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})
