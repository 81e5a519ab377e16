/** The page of one operation: each part of it, in the standings that an operation may be in. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { served } from '../http/support/served.ts'
import { needs } from '../support/needs.ts'
import { expectAccessible, opened } from './support/browser.ts'
import {
  card,
  commands,
  DEAD_AT_ONCE,
  openedOperation,
  overdue,
  PATIENT,
  pageOf,
  sentence,
  shows,
} from './support/operation-rig.ts'

/** One that failed once, and is at work again; another worker contradicted it, and somebody waits for it. */
async function withHistory(server: Awaited<ReturnType<typeof served>>) {
  const { register, tell, send } = commands(server)
  const retry = { maxAttempts: 3 }
  const labels = { team: 'billing' }
  const policy = { ...PATIENT, retry }
  await register('march', { name: 'March report', labels, input: { month: 3 }, key: 'k1', policy })
  const first = await tell('march', 'claim', { claimant: { id: 'worker-1', host: 'box7', pid: 4711 } })
  const { leaseEpoch } = first
  await tell('march', 'start-phase', { leaseEpoch, phase: 'read' })
  await tell('march', 'complete-phase', { leaseEpoch, phase: 'read', result: { rows: 12 } })
  await tell('march', 'retry', { leaseEpoch, error: { message: 'connection reset' }, notBeforeAt: 0 })
  const second = await tell('march', 'claim', { claimant: { id: 'worker-2', host: 'box8' } })
  await tell('march', 'progress', { leaseEpoch: second.leaseEpoch, processed: 4, total: 10, message: 'on the way' })
  await server.post('/v1/workspaces/w/owners/o/operations/march:complete', { leaseEpoch, result: { rows: 3 } })
  await register('april')
  await send('/waits', { mode: 'all', ids: ['march', 'april'], waitId: 'both', runId: 'run 7' })
  return { leaseEpoch: second.leaseEpoch }
}

describe.skipIf(!needs('chromium'))('the page of an operation', () => {
  test('A21, B13: tells who it is, where it stands, what comes next, who waits, and what contradicts it', async () => {
    const server = await served()
    await withHistory(server)
    const page = await openedOperation(server, 'march')
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('March report')
    expect(await page.title()).toBe('March report – Verdict')
    await shows(sentence(page), /^No heartbeat for .*; this kind is reconciled after \d+ min.*, in \d+ min/)
    await shows(page.locator('[data-part="guidance"]'), 'two may have worked at the same time')
    const facts = card(page, 'facts')
    for (const told of ['worker “worker-2” on box8', 'on the way', '4 of 10', 'read: completed', 'connection reset']) {
      await shows(facts, told)
    }
    expect(await facts.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('40')
    await shows(card(page, 'waits'), 'both waits for all of 2 in the run “run 7”: 0 ended')
    expect(await card(page, 'waits').getByRole('link', { name: 'april' }).getAttribute('href')).toBe(pageOf('april'))
    await shows(card(page, 'contradictions'), /A report under lease 2 claimed that it completed\. It was refused/)
    await shows(card(page, 'contradictions'), '"rows": 3')
    await expectAccessible(page)
  })

  test('draws the machine as the server tells it, with the way taken, numbered, and the same as a list', async () => {
    const server = await served()
    await withHistory(server)
    const page = await openedOperation(server, 'march')
    const machine = card(page, 'machine')
    const { states, moves } = (await server.get('/v1/machine')).body
    expect(await machine.locator('[data-state]').count()).toBe(states.length)
    const pairs = moves.filter(({ from, to }: Move) => from !== to).map(({ from, to }: Move) => `${from} ${to}`)
    const drawn = await machine
      .locator('[data-move]')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-move')))
    expect(new Set(drawn)).toEqual(new Set(pairs))
    expect(await machine.locator('.machine-state-current').getAttribute('data-state')).toBe('running')
    expect(await machine.locator('.machine-number').allTextContents()).toEqual(
      expect.arrayContaining(['1', '2, 4', '3']),
    )
    expect(await machine.getByRole('listitem').allTextContents()).toEqual([
      expect.stringMatching(/^absent → provisioning by OperationRegistered/),
      expect.stringMatching(/^provisioning → running by OperationStarted/),
      expect.stringMatching(/^running → provisioning by AttemptFailed/),
      expect.stringMatching(/^provisioning → running by OperationStarted/),
    ])
    await machine
      .getByRole('img', { name: /This one went provisioning, then running, then provisioning, then running/ })
      .waitFor()
  })

  test('has a line of time with attempts, phases and silences, and the same as a table', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    await register('a', { policy: { ...PATIENT, startGraceMs: 1, retry: { maxAttempts: 2 } } })
    const { leaseEpoch } = await tell('a', 'claim')
    await overdue(server, 'a')
    await tell('a', 'start-phase', { leaseEpoch, phase: 'read' })
    const page = await openedOperation(server, 'a')
    const timeline = card(page, 'timeline')
    await shows(timeline.locator('.silence-likely_stale'), /silent$/)
    await timeline.getByText('The same as a table').click()
    const rows = await timeline.getByRole('row').allTextContents()
    expect(rows.map((row) => row.replace(/\d{4}-.*$/, ''))).toEqual([
      'WhatAttemptFrom (UTC)ForEnded',
      'In the queue',
      'Attempt1',
      'Silence1',
      'Phase read1',
    ])
    await expectAccessible(page)
  })

  test('lists every event with who caused it by what, its data as text, page by page where there are many', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    const policy = { ...PATIENT }
    const { leaseEpoch } = await register('a', { claim: true, policy })
    for (let place = 0; place < 105; place++) {
      await tell('a', 'start-phase', { leaseEpoch, phase: 'p' })
      await tell('a', 'fail-phase', { leaseEpoch, phase: 'p', error: { message: `no ${place}` } })
    }
    const page = await openedOperation(server, 'a')
    const events = card(page, 'events')
    await shows(events, '200 events, oldest first; there are more.')
    await events.getByRole('button', { name: 'Read on' }).click()
    await shows(events, '212 events, oldest first.')
    const [born] = (await server.get('/v1/workspaces/w/owners/o/operations/a/history')).body.events
    await events.getByRole('button', { name: `Data of OperationRegistered at ${born.position}` }).click()
    const shown = await events.getByRole('region', { name: 'Data of OperationRegistered' }).textContent()
    expect(JSON.parse(shown ?? '')).toEqual({ facts: born.facts, content: born.content, metadata: born.metadata })
    expect(await events.locator('tbody').first().textContent()).toContain('anonymous')
  })

  test('shows the policy in force, and where each number comes from', async () => {
    const server = await served({ kinds: { export: { policy: { cancelGrace: '90s' } } } })
    await commands(server).register('a', { policy: { maxRuntimeMs: 3_600_000 } })
    const page = await openedOperation(server, 'a')
    const row = (name: string) => card(page, 'policy').getByRole('row', { name }).textContent()
    expect(await row('May run')).toBe('May run1 hset for it')
    expect(await row('May take to follow a cancel')).toBe('May take to follow a cancel1 min 30 sits kind')
    expect(await row('Attempts in all')).toBe('Attempts in all1default')
  })

  test('B12: says where the reconciler will not do what its kind says', async () => {
    const server = await served({ reconciler: { modes: { export: 'observe' } } })
    await commands(server).register('a', { claim: { claimant: { id: 'w1' } }, policy: DEAD_AT_ONCE })
    const page = await openedOperation(server, 'a')
    await shows(page.locator('.badge-chip'), 'likely stale')
    const guidance = page.locator('[data-part="guidance"]')
    await shows(guidance, 'Look at worker “w1”.')
    await shows(guidance, 'The reconciler only observes the kind “export”: it counts, and changes nothing.')
  })

  test('B10: tells what a verdict rested on, and what to look at before it is tried again', async () => {
    const server = await served({ reconciler: false })
    const { register, tell } = commands(server)
    await register('a', { claim: true, policy: DEAD_AT_ONCE })
    const verdict = await overdue(server, 'a')
    await tell('a', 'reconcile', verdict)
    const page = await openedOperation(server, 'a')
    await shows(
      sentence(page),
      'It did not speak for itself, and was ended. The worker of this operation gave no sign of life',
    )
    await shows(page.locator('[data-part="guidance"]'), 'part of its work may have been done')
    const evidence = card(page, 'evidence')
    await shows(evidence, /It was ended by anonymous/)
    await shows(evidence, '(run.stale_running)')
    await shows(evidence, 'none in this attempt')
    expect(await page.locator('[data-status="failed"]').first().getAttribute('class')).toContain('tone-judged')
    await expectAccessible(page)
  })

  test('links what tries it again, and what it tries again', async () => {
    const server = await served()
    const { register, tell } = commands(server)
    const { number } = await register('a')
    await tell('a', 'abort')
    await register('b', { retryOf: { id: 'a', number } })
    const page = await openedOperation(server, 'a')
    await card(page, 'retries').getByRole('link', { name: 'b', exact: true }).click()
    await shows(page.getByRole('heading', { level: 1 }), 'export')
    await card(page, 'facts')
      .getByRole('link', { name: `a (#${number})` })
      .click()
    await shows(sentence(page), 'It was called off before a worker took it.')
  })

  test('is honest about one that nobody holds any more: the log has it, and it can be tried again', async () => {
    const server = await served({
      location: path.join(freshFolder(), 'verdict.db'),
      limits: { maxCompleted: 1, tombstones: 0 },
      settings: { logLevel: 'silent', listRetentionEveryMs: 20, listKeepMax: 1, listDeleteAfterMs: 0 },
      readModels: { follow: 'at_start' },
    })
    const { register, tell } = commands(server)
    for (const id of ['a', 'b', 'c']) {
      await register(id, { name: `Name of ${id}` })
      await tell(id, 'abort', { reason: 'not wanted' })
    }
    await expect
      .poll(async () => (await server.get('/v1/workspaces/w/owners/o/operations/a/story')).body.standing, {
        timeout: 30_000,
      })
      .toBe('no_longer_held')
    const page = await openedOperation(server, 'a')
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Name of a')
    await shows(sentence(page), 'It was called off before a worker took it. It is no longer held by the read models')
    expect(await page.locator('[data-status]').first().textContent()).toBe('aborted')
    expect(await card(page, 'actions').getByRole('button', { name: 'Retry as new' }).isEnabled()).toBe(true)
    await expectAccessible(page)
  })

  test('shows an earlier life of an id where its number is named', async () => {
    const server = await served({ limits: { maxCompleted: 1, tombstones: 0 } })
    const { register, tell } = commands(server)
    const { number } = await register('a', { name: 'First life' })
    await tell('a', 'abort')
    await register('b')
    await tell('b', 'abort')
    await register('a', { name: 'Second life' })
    const page = await openedOperation(server, 'a', { search: `?number=${number}` })
    await shows(page.getByRole('heading', { level: 1 }), 'First life')
    await shows(card(page, 'actions'), `names another operation`)
  })

  test('says so where there is none', async () => {
    const { url } = await served()
    const page = await opened(`${url}${pageOf('never')}`)
    await page.getByRole('alert').getByRole('heading').waitFor()
    await shows(page.getByRole('alert'), 'never')
    await expectAccessible(page)
  })

  test('copies a link, a curl and a command line that ask for just this', async () => {
    const server = await served()
    const id = `it's "a" $(b); 5%`
    await commands(server).register(id, { name: 'Quoted' })
    const page = await openedOperation(server, id)
    const copied = async (name: string) => (await page.getByRole('button', { name }).getAttribute('data-copies')) ?? ''
    expect(await copied('Copy link')).toBe(`${server.url}${pageOf(id)}`)
    // Not in this thread's time: the server that is asked lives in it.
    const run = async (text: string) =>
      (await promisify(execFile)('bash', ['-c', text], { env: { PATH: process.env.PATH, VERDICT_API_KEY: 'x' } }))
        .stdout
    const curl = await copied('Copy as curl')
    expect(curl).toContain('$VERDICT_API_KEY')
    if (needs('curl')) expect(JSON.parse(await run(curl))).toMatchObject({ id, name: 'Quoted' })
    const cli = await copied('Copy as CLI')
    const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
    expect(await run(cli.replace(/^verdict/, `'${process.execPath}' '${main}'`))).toContain('Quoted')
  })

  test('can be read at 360 pixels, in both colours', async () => {
    const server = await served()
    await withHistory(server)
    const page = await openedOperation(server, 'march', { viewport: { width: 360, height: 740 } })
    await card(page, 'machine').getByRole('img').waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
    await expectAccessible(page)
  })
})

interface Move {
  readonly from: string
  readonly to: string
}
