import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { OpenOptions } from '../../src/app/open-options.ts'
import type { OperationsWanted } from '../../src/client/monitored-operations.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { startServer } from '../support/eventstoredb-rig.ts'
import { freshFolder, opened, openedAt, refusalOf, STORES, type Store, thrownBy } from './support/opened-verdict.ts'

const idsIn = (list: Iterable<{ readonly id: string }>) => [...list].map(({ id }) => id)

async function openedOn(store: Store | 'eventstoredb', options: OpenOptions = {}) {
  return store === 'eventstoredb' ? openedAt((await startServer()).url, options) : opened(store, options)
}

describe.each([...STORES, 'eventstoredb'] as const)('operations, on %s,', (store) => {
  test('are listed as soon as they were answered: everybody reads their own writes', async () => {
    const verdict = await openedOn(store)
    for (let i = 0; i < 10; i++) {
      await verdict.register('k', { id: `id-${i}`, owner: `o-${i % 3}` })
      expect((await verdict.operations.list()).operations[0]).toMatchObject({ id: `id-${i}`, owner: `o-${i % 3}` })
      await verdict.execute('k', { id: `done-${i}` }, () => i)
      const [newest] = await verdict.operations.list()
      expect(newest).toMatchObject({ id: `done-${i}`, status: 'completed' })
    }
    expect(await verdict.operations.count()).toMatchObject({ count: 20, isExact: true })
  })

  test('are found by what is given, all of it', async () => {
    const verdict = await openedOn(store)
    await verdict.execute('export', { id: 'a', labels: { team: 'x' } }, () => 1)
    await verdict.start('export', { id: 'b', key: 'orders', labels: { team: 'x', tier: '1' } })
    await verdict.register('import', { id: 'c', owner: 'acme', labels: { team: 'y' } })
    const ids = async (filter: OperationsWanted) => idsIn(await verdict.operations.list(filter)).sort()
    expect(await ids({})).toEqual(['a', 'b', 'c'])
    expect(await ids({ owner: 'acme' })).toEqual(['c'])
    expect(await ids({ owners: ['acme', 'default'] })).toEqual(['a', 'b', 'c'])
    expect(await ids({ owner: 'nobody' })).toEqual([])
    expect(await ids({ workspace: 'elsewhere' })).toEqual([])
    expect(await ids({ statuses: ['running', 'provisioning'] })).toEqual(['b', 'c'])
    expect(await ids({ resultClasses: ['completed'] })).toEqual(['a'])
    expect(await ids({ kinds: ['export'], active: true })).toEqual(['b'])
    expect(await ids({ key: 'orders' })).toEqual(['b'])
    expect(await ids({ labels: { team: 'x', tier: '1' } })).toEqual(['b'])
    expect(await ids({ attention: false })).toEqual(['a', 'b', 'c'])
    expect(idsIn(await verdict.owner('acme').list({ kinds: ['import'] }))).toEqual(['c'])
  })

  test('come page by page, each once, with the position that a page rests on', async () => {
    const verdict = await openedOn(store)
    for (let i = 0; i < 7; i++) await verdict.register('k', { id: `id-${i}` })
    const first = await verdict.operations.list({}, { pageSize: 3 })
    expect([...first]).toHaveLength(3)
    const second = await verdict.operations.list({}, { pageSize: 3, pageToken: first.nextPageToken })
    await verdict.register('k', { id: 'later' })
    const third = await verdict.operations.list({}, { pageSize: 3, pageToken: second.nextPageToken })
    expect(idsIn([...first, ...second, ...third]).sort()).toEqual(Array.from({ length: 7 }, (_, i) => `id-${i}`))
    expect(third).toMatchObject({ nextPageToken: undefined, newer: 1 })
    expect(third.position > first.position).toBe(true)
    const each: string[] = []
    for await (const { id } of verdict.operations.each({}, { pageSize: 3 })) each.push(id)
    expect(each).toHaveLength(8)
    expect(await refusalOf(verdict.operations.list({ owner: 'o' }, { pageToken: first.nextPageToken }))).toMatchObject({
      code: 'bad_page_token',
    })
  })

  test('are counted and spread, as of the moment of the rows', async () => {
    const verdict = await openedOn(store)
    await verdict.execute('export', {}, () => 1)
    await verdict.register('import')
    await verdict.register('import')
    expect(await verdict.operations.count({ kinds: ['import'] })).toMatchObject({ count: 2, isExact: true })
    const facets = { kinds: { export: { count: 1 }, import: { count: 2 } }, statuses: { provisioning: { count: 2 } } }
    expect(await verdict.operations.facets()).toMatchObject(facets)
    const list = await verdict.operations.list({}, { withFacets: true, withLag: true })
    expect(list).toMatchObject({ facets, lag: { events: 0, isMore: false, ms: 0 } })
    expect((await verdict.operations.list()).facets).toBeUndefined()
  })

  test('have a story that is read from the log, page by page, by id', async () => {
    const verdict = await openedOn(store)
    await verdict.execute('export', { id: 'a' }, async ({ phase }) => {
      await phase('read', () => 1)
      await verdict.register('other', { id: 'b' })
      await phase('write', () => 2)
    })
    const story = await verdict.operations.story('a')
    expect(story).toMatchObject({
      id: 'a',
      standing: 'listed',
      hasMore: false,
      explanation: 'It completed.',
    })
    expect(story?.operation).toMatchObject({ id: 'a', status: 'completed' })
    expect(story?.entries).toEqual(
      (await verdict.operation('a').history()).filter(({ event }) => event.type !== 'SignsOfLifeRecorded'),
    )
    const first = await verdict.operations.story('a', { limit: 2 })
    expect(first).toMatchObject({ hasMore: true, entries: story?.entries.slice(0, 2) })
    const rest = await verdict.operations.story('a', { after: first?.entries.at(-1)?.revision ?? 0 })
    expect(rest).toMatchObject({ hasMore: false, entries: story?.entries.slice(2) })
    expect(await verdict.operations.story('nobody')).toBeUndefined()
  })

  test('are summed up by owner', async () => {
    const verdict = await openedOn(store)
    await verdict.register('k', { owner: 'acme' })
    await verdict.execute('k', { owner: 'globex' }, () => 1)
    const { registries } = await verdict.operations.owners()
    expect(registries.map(({ owner, active, retained, watermark }) => [owner, active, retained, watermark])).toEqual([
      ['globex', 0, 1, 1],
      ['acme', 1, 0, 0],
    ])
    expect((await verdict.operations.owners({ active: true })).registries.map(({ owner }) => owner)).toEqual(['acme'])
  })

  test('are told as rates', async () => {
    const clock = new HandMovedClock(1_763_690_000_000)
    const verdict = await openedOn(store, { clock, reconciler: false })
    await verdict.execute('k', {}, () => 1)
    const [from, until] = [clock.now() - 3_600_000, clock.now() + 60_000]
    const { points } = await verdict.operations.rates({ from, until, step: 'hour' })
    expect(points).toMatchObject([{ kind: 'k', counts: { registered: 1, started: 1, completed: 1, failed: 0 } }])
  })
})

describe('a question', () => {
  test('that names a position which is not reached in time is refused, with how far the rows are', async () => {
    const verdict = await opened()
    await verdict.register('k')
    const { position } = await verdict.operations.list()
    const atLeast = position + 5n
    expect(await refusalOf(verdict.operations.count({}, { atLeast, timeoutMs: 20 }))).toMatchObject({
      code: 'read_model_behind',
      retryable: true,
      facts: { position, atLeast },
      message: `The rows of 'operation-index' stand at position ${position}, and ${atLeast} was not reached within 20 ms.`,
    })
  })

  test('is given up when its signal aborts', async () => {
    const verdict = await opened()
    await verdict.operations.list()
    const leaving = new AbortController()
    const asked = thrownBy(verdict.operations.list({}, { atLeast: 1_000n, signal: leaving.signal }))
    leaving.abort('left')
    expect(await asked).toBe('left')
  })

  test('for rows that nobody makes is refused as not served', async () => {
    const verdict = await opened('sqlite', { readModels: { follow: 'never' } })
    expect(await refusalOf(verdict.operations.list({}, { timeoutMs: 20 }))).toMatchObject({ code: 'not_served' })
  })

  test.each<readonly [string, (verdict: Verdict) => Promise<unknown>, string, RegExp]>([
    [
      'a value that is none',
      (v) => v.operations.count({ statuses: ['dead' as 'failed'] }),
      'filter.statuses.0',
      /completed/,
    ],
    ['a list without a value', (v) => v.operations.list({ kinds: [] }), 'filter.kinds', />=1/],
    ['a name that is not known', (v) => v.operations.list({ status: 'failed' } as object), 'filter.status', /statuses/],
    ['an owner twice', (v) => v.operations.list({ owner: 'a', owners: ['b'] }), 'filter.owners', /not both/],
    ['a big page', (v) => v.operations.list({}, { pageSize: 1_001 }), 'pageSize', /1000/],
    [
      'a sort that is none',
      (v) => v.operations.list({}, { sort: 'age' as 'newest_activity' }),
      'sort',
      /longest_running/,
    ],
    ['an option that is none', (v) => v.operations.list({}, { pagesize: 3 } as object), 'pagesize', /pageSize/],
    ['an upside-down span', (v) => v.operations.list({ ended: { from: 2, until: 1 } }), 'filter.ended', /before/],
    ['an owner filter that is none', (v) => v.operations.owners({ kinds: ['k'] } as object), 'filter.kinds', /waiting/],
    [
      'rates in steps that are none',
      (v) => v.operations.rates({ from: 0, until: 1, step: 'year' as 'day' }),
      'step',
      /day/,
    ],
    ['too many steps', (v) => v.operations.rates({ from: 0, until: 1e11, step: 'minute' }), '', /2000 are answered/],
  ])('with %s is refused with what is expected', async (_, ask, place, expected) => {
    const verdict = await opened()
    const { code, facts } = await refusalOf(ask(verdict))
    expect({ code, path: facts.path }).toEqual({ code: 'invalid_command', path: place })
    expect(facts.expected).toMatch(expected)
  })
})

test('after a restart nothing is missing, also what was written by a process without read models', async () => {
  const location = path.join(freshFolder(), 'verdict.db')
  const first = await openedAt(location)
  await first.register('k', { id: 'a' })
  expect(idsIn(await first.operations.list())).toEqual(['a'])
  await first.close()
  const writing = await openedAt(location, { readModels: { follow: 'never' } })
  await writing.register('k', { id: 'b' })
  await writing.close()
  const second = await openedAt(location)
  expect(idsIn(await second.operations.list()).sort()).toEqual(['a', 'b'])
})

test('A21: who needs attention is listed with a sentence: what is known, and what happens next', async () => {
  const clock = new HandMovedClock()
  const verdict = await opened('memory', { clock, reconciler: false })
  await verdict.start('export', { id: 'silent', policy: { staleAfter: '2m' } })
  await verdict.register('export', { id: 'waits' })
  await clock.advance(150_000)
  const stuck = await verdict.operations.list({ attention: true })
  expect([...stuck].map(({ id, explanation }) => ({ id, explanation }))).toEqual([
    {
      id: 'silent',
      explanation: expect.stringMatching(
        /^Claimed 2 min.* ago and not heard of since; this kind is reconciled after .+, .+\.$/,
      ),
    },
  ])
})

test('a Verdict that is closed answers no question any more', async () => {
  const verdict = await opened('sqlite')
  await verdict.close()
  expect(await refusalOf(verdict.operations.list())).toMatchObject({ code: 'shutting_down' })
})

test.each([
  ['at once', 0],
  ['when rows are followed', 700],
])('a program that closes nothing ends by itself: %s', (_, idleMs) => {
  const file = path.join(freshFolder(), 'verdict.db')
  const program = `
    const { openVerdict } = await import(${JSON.stringify(path.resolve(import.meta.dirname, '../../src/index.ts'))})
    const verdict = await openVerdict(${JSON.stringify(file)})
    await verdict.execute('k', { id: 'a' }, () => 1)
    await new Promise((resolve) => setTimeout(resolve, ${idleMs}))
    if (${idleMs} > 0) console.log([...(await verdict.operations.list())].length)
  `
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: idleMs > 0 ? '1\n' : '', stderr: '' })
})
