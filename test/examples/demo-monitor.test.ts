/** `npm run demo:monitor`: a living load behind a page, for a while. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import type { ListedOperation } from '../../src/index.ts'

const HOUSE = path.resolve(import.meta.dirname, '../..')
const PATIENCE = { timeout: 120_000, interval: 500 }

test('the demo of the monitor serves a past, a living load and a breaker that holds, and ends without a trace', {
  timeout: 600_000,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-demo-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const demo = spawn(process.execPath, ['examples/demo-monitor.ts', '--no-open', '--minutes', '10'], {
    cwd: HOUSE,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void demo.kill('SIGKILL'))
  const ended = once(demo, 'exit')
  const [line] = await once(createInterface({ input: demo.stdout }), 'line')
  const url = /^The monitor: (http:\/\/127\.0\.0\.1:\d+)$/.exec(String(line))?.[1] ?? ''
  const ask = async <T>(place: string) => (await (await fetch(`${url}${place}`)).json()) as T // as the API describes it
  expect(await (await fetch(url)).text()).toContain('<title>Verdict</title>')

  const statuses = async () => (await ask<{ readonly statuses: object }>('/v1/operations:facets')).statuses
  await expect
    .poll(statuses, PATIENCE)
    .toMatchObject({ completed: expect.anything(), failed: expect.anything(), running: expect.anything() })
  const span = `fromAt=${Date.now() - 20 * 86_400_000}&untilAt=${Date.now()}&step=day`
  const { points } = await ask<{ readonly points: readonly { readonly fromAt: number }[] }>(`/v1/rates?${span}`)
  expect(new Set(points.map(({ fromAt }) => fromAt)).size).toBeGreaterThan(5)
  // Of several owners at once, in processes of their own as well.
  const owners = async () => {
    const { registries } = await ask<{ readonly registries: readonly { readonly owner: string }[] }>(
      '/v1/owners?active=true',
    )
    return registries.map(({ owner }) => owner)
  }
  await expect.poll(owners, PATIENCE).toEqual(expect.arrayContaining(['acme', 'initech']))
  const claimants = async () => {
    const { operations } = await ask<{ readonly operations: readonly Pick<ListedOperation, 'lease'>[] }>(
      '/v1/operations?kinds=render&active=true',
    )
    return operations.map(({ lease }) => lease?.claimant?.host)
  }
  await expect.poll(claimants, PATIENCE).toContain('render-1')
  const held = async () => {
    const { breakers } = await ask<{ readonly breakers: readonly { readonly kind: string }[] }>('/v1/reconciler')
    return breakers.map(({ kind }) => kind)
  }
  await expect.poll(held, PATIENCE).toEqual(['crawl'])

  demo.kill('SIGINT')
  expect(await ended).toEqual([0, null])
  expect(existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('verdict-monitor-')) : []).toEqual(
    [],
  )
})
