/** Who acts, for whom he says he acts, and whose trace it is part of: told of each command, stored with its events. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectVerdict } from '../../src/client/connect.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { servedTo } from './support/callers.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const OTHER = '00-1bf7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01'

interface Told {
  readonly type: string
  readonly metadata: Readonly<Record<string, unknown>>
}

function toldBy(events: readonly Told[]) {
  return events.map(({ type, metadata: { actor, onBehalfOf } }) => ({ type, actor, onBehalfOf }))
}

describe('onBehalfOf', () => {
  test('stands in history, stories and events beside the actor, who stays who shows the key', async () => {
    const { post, get, as } = await servedTo({ page: { w: ['operator'] } })
    const told = { onBehalfOf: 'Jörg from support' }
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, ...told }, as('page'))
    await post(`${OWNER}/operations/a:cancel`, { reason: 'asked', ...told }, as('page'))
    await post(`${OWNER}/operations/a:force-cancel`, {}, as('page'))
    const expected = [
      { type: 'OperationRegistered', actor: 'page', onBehalfOf: 'Jörg from support' },
      { type: 'OperationStarted', actor: 'page', onBehalfOf: 'Jörg from support' },
      { type: 'CancelRequested', actor: 'page', onBehalfOf: 'Jörg from support' },
      { type: 'OperationCancelled', actor: 'page', onBehalfOf: undefined },
    ]
    expect(toldBy((await get(`${OWNER}/operations/a/history`, as('page'))).body.events)).toEqual(expected)
    expect(toldBy((await get(`${OWNER}/operations/a/story`, as('page'))).body.entries)).toEqual(expected)
    const { events } = (await get('/v1/events?operation=a', as('page'))).body
    expect(events[0]).toMatchObject({ actor: 'page', onbehalfof: 'Jörg from support' })
  })

  test('is taken by every command: of owners, of waits, in a batch for each', async () => {
    const { post, get } = await served()
    const told = { onBehalfOf: 'ann' }
    await post(`${OWNER}:open`, { limits: (await get(OWNER)).body.limits, ...told })
    await post(`${OWNER}/commands:batch`, {
      commands: [
        { command: { type: 'RegisterOperation', kind: 'k', id: 'a' }, ...told },
        { command: { type: 'RegisterOperation', kind: 'k', id: 'b' }, onBehalfOf: 'bob' },
      ],
    })
    expect(await post(`${OWNER}/waits`, { mode: 'all', ids: ['a'], waitId: 'x', ...told })).toMatchObject({
      status: 201,
    })
    expect(await post(`${OWNER}/waits/x:cancel`, told)).toMatchObject({ status: 200 })
    expect(await post(`${OWNER}:terminate`, { reason: 'r', ...told })).toMatchObject({ status: 200 })
    expect(await post(`${OWNER}:collect`, told)).toMatchObject({ status: 200 })
    const { events } = (await get('/v1/events?owner=o&workspace=w')).body
    const met = events.map(({ type, onbehalfof }: Record<string, string>) => `${type} ${onbehalfof}`)
    expect(met).toEqual([
      'verdict.registry.opened ann',
      'verdict.operation.registered ann',
      'verdict.operation.registered bob',
      'verdict.wait.began ann',
      'verdict.wait.cancelled ann',
      'verdict.owner.terminated ann',
      'verdict.completed.collected ann',
    ])
  })

  test('is no part of the command: the same key and the same body are the same request, whoever is named', async () => {
    const { post } = await served()
    const asked = { headers: { 'idempotency-key': 'k-1' } }
    const body = { kind: 'k', id: 'a' }
    expect(await post(`${OWNER}/operations`, { ...body, onBehalfOf: 'ann' }, asked)).toMatchObject({ status: 201 })
    expect(await post(`${OWNER}/operations`, { ...body, onBehalfOf: 'bob' }, asked)).toMatchObject({
      status: 201,
      body: { changed: true, id: 'a' },
    })
  })

  test.each([[7], [''], ['a\nb'], ['x'.repeat(257)], [null], [{ name: 'ann' }]])(
    'that is none is refused by its name: %o',
    async (onBehalfOf) => {
      const { post, node } = await served()
      const end = await node.store.end()
      expect(await post(`${OWNER}/operations`, { kind: 'k', onBehalfOf })).toMatchObject({
        status: 400,
        body: { code: 'invalid_command', path: 'onBehalfOf' },
      })
      expect(await post('/v1/reconciler:set-mode', { mode: 'off', reason: 'r', onBehalfOf })).toMatchObject({
        status: 400,
        body: { code: 'invalid_command', path: 'onBehalfOf' },
      })
      expect(await node.store.end()).toBe(end)
    },
  )

  test('is sent by the SDK with every command that names one', async () => {
    const { url } = await served()
    const verdict = connectVerdict(url, { log: new RecordingLog() })
    onTestFinished(() => verdict.close({ grace: 0 }))
    const handle = await verdict.register('k', { id: 'a', onBehalfOf: 'ann' })
    await verdict.operation('a').cancel({ reason: 'asked', onBehalfOf: 'bob' })
    const history = await handle.history()
    expect(history.map(({ metadata }) => [metadata.actor, metadata.onBehalfOf])).toEqual([
      ['anonymous', 'ann'],
      ['anonymous', 'bob'],
    ])
  })

  test('names who asked for a pass in what the reconciler did, and who gave an order in its record', async () => {
    const { post, get, as } = await servedTo({ page: { '*': ['operator'] } })
    const order = { kind: 'k', mode: 'observe', reason: 'r', onBehalfOf: 'ann' }
    const { body } = await post('/v1/reconciler:set-mode', order, as('page'))
    expect(body.modes).toMatchObject([{ kind: 'k', order: { actor: 'page', onBehalfOf: 'ann' } }])
    expect((await get('/v1/reconciler', as('page'))).body.modes).toEqual(body.modes)
  })
})

describe('a trace', () => {
  test('is that of each command of a batch, and that of the request for those that name none', async () => {
    const { post, get } = await served()
    const command = (id: string) => ({ type: 'RegisterOperation', kind: 'k', id })
    const asked = { headers: { traceparent: PARENT } }
    const entries = [
      { command: command('a'), traceparent: OTHER },
      { command: command('b') },
      { command: command('c'), traceparent: 'none' },
    ]
    expect(await post(`${OWNER}/commands:batch`, { commands: entries }, asked)).toMatchObject({ status: 200 })
    const traceOf = async (id: string) =>
      (await get(`${OWNER}/operations/${id}/history`)).body.events[0].metadata.traceparent
    expect([await traceOf('a'), await traceOf('b'), await traceOf('c')]).toEqual([OTHER, PARENT, PARENT])
  })

  test('of commands that the SDK sends together is that of each', async () => {
    const { url } = await served()
    const verdict = connectVerdict(url, { log: new RecordingLog() })
    onTestFinished(() => verdict.close({ grace: 0 }))
    const handles = await Promise.all([
      verdict.register('k', { traceparent: PARENT }),
      verdict.register('k', { traceparent: OTHER }),
      verdict.register('k'),
    ])
    const traces = await Promise.all(handles.map(async (one) => (await one.history())[0]?.metadata.traceparent))
    expect(traces).toEqual([PARENT, OTHER, undefined])
  })
})
