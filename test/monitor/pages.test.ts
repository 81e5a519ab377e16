/** The monitor as files of the server, and what stands around every page of it. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { describe, expect, test } from 'vitest'
import { refusalOf } from '../../src/http/error-responses.ts'
import { monitorFiles } from '../../src/http/monitor-files.ts'
import type { ServerContext } from '../../src/http/server.ts'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { servedTo } from '../http/support/callers.ts'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, opened } from './support/browser.ts'

const BUILT = path.resolve(import.meta.dirname, '../../dist/monitor')
const SIZE_MAX = 150_000

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

describe('the files of the monitor', () => {
  test('are small: scripts and styles together below 150 kB as they are sent', () => {
    const files = readdirSync(BUILT, { recursive: true, encoding: 'utf8' }).filter((file) => /\.(js|css)$/.test(file))
    const sizes = files.map((file) => gzipSync(readFileSync(path.join(BUILT, file)), { level: 9 }).length)
    expect(sizes.length).toBeGreaterThan(1)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(SIZE_MAX)
  })

  test('name no other server', () => {
    for (const file of readdirSync(BUILT, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(js|css|html)$/.test(file)) continue
      const addresses = readFileSync(path.join(BUILT, file), 'utf8').match(/https?:\/\/[a-z0-9.-]+/g) ?? []
      // Names of vocabularies, which nobody asks for.
      expect(addresses.filter((address) => address !== 'http://www.w3.org')).toEqual([])
    }
  })

  test('are given to anybody, under a strict policy; all that they show takes a key', async () => {
    const { get } = await servedTo({ ada: { w: ['viewer'] } })
    for (const address of ['/', '/overview', '/login', '/operations/w/o/a%2Fb', '/?statuses=failed']) {
      const { status, headers, body } = await get(address)
      expect({ address, status, type: headers.get('content-type') }).toEqual({
        address,
        status: 200,
        type: 'text/html; charset=utf-8',
      })
      expect(headers.get('content-security-policy')).toBe(POLICY)
      expect(headers.get('cache-control')).toBe('no-cache')
      for (const [, asset = ''] of String(body).matchAll(/(?:src|href)="([^"]+)"/g)) {
        const given = await get(asset)
        expect(given.status).toBe(200)
        expect(given.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
        expect(given.headers.get('content-encoding')).toBe('gzip')
      }
    }
    expect(await get('/v1/operations')).toMatchObject({ status: 401 })
    expect(await get('/operations')).toMatchObject({ status: 401 })
    expect(await get('/assets/none.js')).toMatchObject({ status: 401 })
  })

  test('are not sent again to who has them', async () => {
    const { get } = await served()
    const etag = (await get('/')).headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect(await get('/', { headers: { 'if-none-match': etag } })).toMatchObject({ status: 304, body: '' })
    expect(await get('/', { headers: { 'if-none-match': '"old"' } })).toMatchObject({ status: 200 })
  })

  test('that are not built are named with the command that builds them', async () => {
    const app = Fastify()
    // All that the files ask of their server.
    monitorFiles(freshFolder())(app, { openPaths: new Set<string>(), openFolders: new Set<string>() } as ServerContext)
    app.setErrorHandler((error, _request, reply) => reply.send(refusalOf(error)))
    expect((await app.inject('/')).json()).toEqual({
      code: 'monitor_not_built',
      message: 'the page is made by: npm run build:monitor',
      facts: {},
    })
    await app.close()
  })
})

describe.skipIf(!needs('chromium'))('the monitor in a browser', () => {
  test('says which page does not exist, and has none that axe finds fault with, light or dark', async () => {
    const { url } = await served()
    const page = await opened(`${url}/operations/only/two%20parts/id/more`)
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
    await expectAccessible(page)
  })

  test('shows its keys at ?, and takes them back on Escape', async () => {
    const { url } = await served()
    const page = await opened(url)
    await page.getByRole('heading', { name: 'Operations' }).waitFor()
    await page.keyboard.press('?')
    const dialog = page.getByRole('dialog', { name: 'Keyboard' })
    await dialog.waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
  })

  test('does nothing at single keys for whoever turned them off, also after a reload', async () => {
    const { url } = await served()
    const page = await opened(url)
    const dialog = page.getByRole('dialog', { name: 'Keyboard' })
    const help = page.getByRole('button', { name: 'Keyboard help' })
    await help.click()
    await page.getByLabel('Single keys do these things').uncheck()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.reload()
    await help.waitFor()
    await page.keyboard.press('/')
    await page.keyboard.press('?')
    expect(await dialog.count()).toBe(0)
    await help.click()
    await page.getByLabel('Single keys do these things').check()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await page.keyboard.press('?')
    await dialog.waitFor()
  })

  test('keeps the colours that were chosen', async () => {
    const { url } = await served()
    const page = await opened(url, { colorScheme: 'dark' })
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    const button = page.getByRole('button', { name: /^Colours: / })
    await button.waitFor()
    const dark = await ground()
    await button.click()
    await page.getByRole('button', { name: 'Colours: light. Change to dark' }).waitFor()
    const light = await ground()
    expect(light).not.toBe(dark)
    await page.reload()
    await page.getByRole('button', { name: 'Colours: light. Change to dark' }).waitFor()
    expect(await ground()).toBe(light)
  })
})
