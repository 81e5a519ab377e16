/** Signing in and out, as people do it. */
import { describe, expect, test } from 'vitest'
import { readKeys, revokeKey } from '../../src/http/api-keys.ts'
import { type ServedToCallers, servedTo } from '../http/support/callers.ts'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, type OpenedPage, opened } from './support/browser.ts'

const FOLLOWED = { readModels: { follow: 'at_start' } } as const
const CALLERS = { ann: { w: ['viewer'] }, ben: { '*': ['operator'] } } as const

function keyOf({ as }: ServedToCallers, caller: string): string {
  return as(caller).headers.authorization?.replace('Bearer ', '') ?? ''
}

async function signIn(page: OpenedPage, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

const addressOf = (page: OpenedPage) => page.url().replace(/^https?:\/\/[^/]+/, '')

describe.skipIf(!needs('chromium'))('whoever looks at a server with keys', () => {
  test('is led to the login page, told what is wrong with a key, and back where he was with one that is good', async () => {
    const server = await servedTo(CALLERS, FOLLOWED)
    const page = await opened(`${server.url}/overview?span=6h`)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(addressOf(page)).toBe('/login?next=%2Foverview%3Fspan%3D6h')
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Enter a key.').waitFor()
    await signIn(page, `vk_${'0'.repeat(12)}_${'A'.repeat(43)}`)
    await page.getByText('This key is not good here, or not any more.').waitFor()
    await expectAccessible(page)
    await signIn(page, keyOf(server, 'ann'))
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(addressOf(page)).toBe('/overview?span=6h')
    await page.getByText('ann', { exact: true }).waitFor()
    // Nothing of the key is left where a script could read it.
    const left = await page.evaluate('document.cookie + JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')
    expect(left).not.toMatch(/vk_|verdict_session/)
    const [cookie] = await page.context().cookies()
    expect(cookie).toMatchObject({ name: 'verdict_session', httpOnly: true, sameSite: 'Strict', path: '/' })
  })

  test('signs out, and has nothing to go back to', async () => {
    const server = await servedTo(CALLERS, FOLLOWED)
    const page = await opened(`${server.url}/login`)
    await signIn(page, keyOf(server, 'ben'))
    await page.getByRole('heading', { name: 'Operations' }).waitFor()
    const [cookie] = await page.context().cookies()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(await page.context().cookies()).toEqual([])
    const again = await server.get('/v1/operations', { headers: { cookie: `verdict_session=${cookie?.value}` } })
    expect(again.status).toBe(401)
  })

  test('whose key is revoked in the middle is led to the login page, told so, and goes on with another', async () => {
    const server = await servedTo(CALLERS, { ...FOLLOWED, settings: { logLevel: 'silent', httpStreamPingMs: 100 } })
    const page = await opened(`${server.url}/overview`)
    await signIn(page, keyOf(server, 'ann'))
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    const { id = '' } = readKeys(server.keysFile).find(({ name }) => name === 'ann') ?? {}
    revokeKey(server.keysFile, id, Date.now())
    await page.getByText('Your session is over').waitFor()
    await expectAccessible(page)
    await signIn(page, keyOf(server, 'ben'))
    await page.getByText('ben', { exact: true }).waitFor()
    expect(addressOf(page)).toBe('/overview')
  })

  test('is led to no other site, whatever the address of the login page says', async () => {
    const server = await servedTo(CALLERS, FOLLOWED)
    const places = ['https://evil.example/', '//evil.example/', '/\\evil.example/', 'javascript:alert(1)', '/login']
    for (const next of places) {
      const page = await opened(`${server.url}/login?${new URLSearchParams({ next })}`)
      await signIn(page, keyOf(server, 'ann'))
      await page.getByRole('heading', { name: 'Operations' }).waitFor()
      expect(page.url()).toBe(`${server.url}/`)
    }
  })
})

describe.skipIf(!needs('chromium'))('whoever looks at a server that is open to its machine', () => {
  test('is told that it is, once, and has nothing to sign in to', async () => {
    const { url } = await served(FOLLOWED)
    const page = await opened(`${url}/overview`)
    const notice = page.getByText('This server is open to its own machine')
    await notice.waitFor()
    await expectAccessible(page)
    expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Understood' }).click()
    await notice.waitFor({ state: 'detached' })
    await page.goto(`${url}/login?next=%2Foverview`)
    await page.getByRole('heading', { name: 'Nobody has to sign in here' }).waitFor()
    await expectAccessible(page)
    await page.getByRole('link', { name: 'Go on' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    expect(await notice.count()).toBe(0)
  })
})
