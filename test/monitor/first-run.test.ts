/** An empty server shows how to begin, and comes alive with the first operation. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { servedTo } from '../http/support/callers.ts'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, opened } from './support/browser.ts'

const FOLLOWED = { readModels: { follow: 'at_start' } } as const
const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts')

describe.skipIf(!needs('chromium'))('the page of an empty server', () => {
  test('shows how to register an operation with this very server, and comes alive when somebody does', async () => {
    const { url } = await served(FOLLOWED)
    const page = await opened(url)
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('heading', { name: 'No operation yet' }).waitFor()
    await expectAccessible(page)
    const curl = page.getByRole('article', { name: 'curl' })
    await curl.getByRole('button', { name: 'Copy' }).click()
    await curl.getByRole('button', { name: 'Copied' }).waitFor()
    const copied = String(await page.evaluate('navigator.clipboard.readText()'))
    expect(copied).toBe(
      `curl -s ${url}/v1/operations \\\n  -H 'content-type: application/json' \\\n  -d '{"kind":"export","name":"My first","claim":true}'`,
    )
    await page.getByText('live', { exact: true }).waitFor()
    await page.evaluate('window.notLoadedAgain = true')
    // What was copied is what a shell runs.
    const shell = spawn('sh', ['-c', copied], { stdio: 'ignore' })
    expect(await once(shell, 'exit')).toEqual([0, null])
    await page.getByText('My first').first().waitFor()
    await page.getByRole('heading', { name: 'No operation yet' }).waitFor({ state: 'detached' })
    expect(await page.evaluate('window.notLoadedAgain')).toBe(true)
  })

  test('shows a command line that runs as it stands', async () => {
    const { url, get } = await served(FOLLOWED)
    const page = await opened(url)
    const text = await page.getByRole('article', { name: 'Any command line' }).locator('pre').innerText()
    expect(text).toBe(`npx verdict run --server ${url} -- sleep 30`)
    const args = text.replace('npx verdict ', '').replace('sleep 30', 'true').split(' ')
    const run = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' })
    expect(await once(run, 'exit')).toEqual([0, null])
    await page.getByRole('heading', { name: 'No operation yet' }).waitFor({ state: 'detached' })
    expect((await get('/v1/operations')).body.operations).toMatchObject([{ kind: 'command', status: 'completed' }])
  })

  test('names the key where callers have to say who they are, and fits a screen of 360 px', async () => {
    const { url, as } = await servedTo({ ann: { '*': ['viewer'] } }, FOLLOWED)
    const page = await opened(url, { viewport: { width: 360, height: 740 } })
    await page.getByLabel('API key').fill(as('ann').headers.authorization?.replace('Bearer ', '') ?? '')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('authorization: Bearer $VERDICT_API_KEY').waitFor()
    await page.getByText('apiKey: process.env.VERDICT_API_KEY').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await expectAccessible(page)
  })
})
