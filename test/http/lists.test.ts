import { describe, expect, test } from 'vitest'
import { servedTo } from './support/callers.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'

/** Registered in this order, under these owners and labels. */
async function withOperations({ post }: Awaited<ReturnType<typeof served>>, headers = {}) {
  const asked = { headers }
  for (const [owner, id, kind, labels] of [
    ['o', 'a', 'export', { team: 'x', note: 'k=v' }],
    ['o', 'b', 'import', { team: 'y' }],
    ['p', 'c', 'export', {}],
  ] as const) {
    await post(`/v1/workspaces/w/owners/${owner}/operations`, { kind, id, name: `Name ${id}`, labels }, asked)
  }
  await post(`${OWNER}/operations/b:abort`, { reason: 'x' }, asked)
}

const idsIn = ({ body }: { readonly body: { readonly operations: readonly { readonly id: string }[] } }) =>
  body.operations.map(({ id }) => id)

describe('lists over HTTP', () => {
  test('D4: show what was just answered, over all owners or of one, filtered, sorted and page by page', async () => {
    const server = await served({ readModels: { follow: 'at_start' } })
    const { get } = server
    await withOperations(server)
    expect(idsIn(await get('/v1/operations')).sort()).toEqual(['a', 'b', 'c'])
    expect(idsIn(await get(`${OWNER}/operations`)).sort()).toEqual(['a', 'b'])
    expect(idsIn(await get('/v1/operations?kinds=export&owners=o&owners=p&active=true')).sort()).toEqual(['a', 'c'])
    expect(idsIn(await get('/v1/operations?label=team%3Dx&label=note%3Dk%3Dv'))).toEqual(['a'])
    expect(idsIn(await get('/v1/operations?statuses=aborted&text=name'))).toEqual(['b'])
    expect(idsIn(await get(`/v1/operations?registeredFrom=0&registeredUntil=1`))).toEqual([])
    const first = await get('/v1/operations?pageSize=2&sort=oldest_in_status')
    expect(idsIn(first)).toHaveLength(2)
    const token = encodeURIComponent(first.body.nextPageToken)
    const second = await get(`/v1/operations?pageSize=2&sort=oldest_in_status&pageToken=${token}`)
    expect([...idsIn(first), ...idsIn(second)].sort()).toEqual(['a', 'b', 'c'])
    expect(second.body.nextPageToken).toBe(undefined)
    expect((await get('/v1/operations:count?kinds=export')).body).toMatchObject({ count: 2, isExact: true })
    expect((await get(`${OWNER}/operations:facets?withLag=true`)).body).toMatchObject({
      statuses: { provisioning: { count: 1 }, aborted: { count: 1 } },
      kinds: { export: { count: 1 }, import: { count: 1 } },
      lag: { events: 0 },
    })
    const { body: owners } = await get('/v1/owners?sort=owner')
    expect(owners.registries).toMatchObject([
      { owner: 'o', active: 1 },
      { owner: 'p', active: 1 },
    ])
    const { body: rates } = await get(`/v1/rates?workspaces=w&fromAt=0&untilAt=${2 ** 42}&step=day&kinds=import`)
    expect(rates).toMatchObject({ code: 'invalid_command' })
  })

  test('tell the story of an operation that its owner let go, and what is left of it', async () => {
    const server = await served({ readModels: { follow: 'at_start' }, limits: { maxCompleted: 1 } })
    const { get, post } = server
    await withOperations(server)
    await post(`${OWNER}/operations/a:abort`)
    await post(`${OWNER}:collect`)
    expect(await get(`${OWNER}/operations/b`)).toMatchObject({ status: 200, body: { id: 'b', status: 'aborted' } })
    expect(await get('/v1/operations/b')).toMatchObject({ status: 200, body: { id: 'b', owner: 'o' } })
    const { body } = await get('/v1/operations/b/story?limit=1')
    expect(body).toMatchObject({
      id: 'b',
      owner: 'o',
      standing: 'listed',
      hasMore: true,
      entries: [{ type: 'OperationRegistered', metadata: { actor: 'anonymous' } }],
      position: expect.stringMatching(/^\d+$/),
    })
    expect(await get(`${OWNER}/operations/nowhere/story`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  test('refuse what they do not know, tokens of another question and forged ones, and a position that nobody reached', async () => {
    const server = await served({ readModels: { follow: 'at_start' } })
    const { get } = server
    await withOperations(server)
    const { body } = await get('/v1/operations?pageSize=1')
    const token = Buffer.from(body.nextPageToken, 'base64url').toString()
    const forged = Buffer.from(token.replace('[1', '[2')).toString('base64url')
    const status = async (query: string) => {
      const answered = await get(`/v1/operations?${query}`)
      return `${answered.status} ${answered.body.code}`
    }
    expect({
      filter: await status('colour=red'),
      status: await status('statuses=gone'),
      size: await status('pageSize=1001'),
      sort: await status('sort=random'),
      label: await status('label=team'),
      labelProto: await status('label=__proto__%3Dx&label=team%3Dx'),
      labelTwice: await status('label=team%3Dx&label=team%3Dy'),
      range: await status('registeredFrom=2&registeredUntil=1'),
      otherQuestion: await status(`pageSize=1&active=true&pageToken=${body.nextPageToken}`),
      forged: await status(`pageSize=1&pageToken=${forged}`),
      noise: await status('pageToken=%00%ff'),
      position: await status('atLeast=1e9'),
      behind: await status('atLeast=999999999&timeoutMs=50'),
    }).toEqual({
      filter: '400 invalid_command',
      status: '400 invalid_command',
      size: '400 invalid_command',
      sort: '400 invalid_command',
      label: '400 invalid_command',
      labelProto: '400 invalid_command',
      labelTwice: '400 invalid_command',
      range: '400 invalid_command',
      otherQuestion: '400 bad_page_token',
      forged: '400 bad_page_token',
      noise: '400 bad_page_token',
      position: '400 invalid_command',
      behind: '503 read_model_behind',
    })
  })

  test('show nobody what is not theirs, whatever the filter says', async () => {
    const callers = { root: { '*': ['admin'] }, mine: { w: ['viewer'] }, stranger: { theirs: ['viewer'] } } as const
    const server = await servedTo(callers, { readModels: { follow: 'at_start' } })
    const { get, as } = server
    await withOperations(server, as('root').headers)
    expect(idsIn(await get('/v1/operations', as('mine'))).sort()).toEqual(['a', 'b', 'c'])
    expect(idsIn(await get('/v1/operations?workspaces=w&workspaces=theirs', as('stranger')))).toEqual([])
    expect((await get('/v1/operations:count', as('stranger'))).body).toMatchObject({ count: 0 })
    expect((await get('/v1/owners', as('stranger'))).body).toMatchObject({ registries: [] })
    for (const place of [
      '/v1/operations?workspaces=w',
      '/v1/operations:facets?workspaces=w',
      '/v1/owners?workspaces=w',
      '/v1/rates?workspaces=w&fromAt=0&untilAt=1&step=day',
    ]) {
      expect(await get(place, as('stranger'))).toMatchObject({ status: 404, body: { code: 'not_found' } })
    }
    const span = `fromAt=${Date.now() - 3_600_000}&untilAt=${Date.now() + 60_000}&step=hour`
    expect((await get(`/v1/rates?${span}`, as('stranger'))).body.points).toEqual([])
    expect((await get(`/v1/rates?${span}`, as('root'))).body.points).not.toEqual([])
  })
})
