import path from 'node:path'
import { context, propagation, trace } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { servedTo } from './support/callers.ts'
import { streamOf } from './support/sent-events.ts'
import { served } from './support/served.ts'

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 60_000 }

const OWNER = '/v1/workspaces/w/owners/o'

describe('H3: health', () => {
  test('tells commands, reads, projections and reconciler apart', async () => {
    const { get, post } = await served({ readModels: { follow: 'at_start' } })
    expect(await get('/livez')).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    await expect
      .poll(() => get('/readyz?verbose'), PATIENCE)
      .toMatchObject({
        status: 200,
        body: {
          status: 'ready',
          checks: {
            commands: { status: 'ok' },
            reads: { status: 'ok' },
            projections: {
              status: 'ok',
              all: expect.arrayContaining([
                expect.objectContaining({ projection: 'operation-index', status: 'following', parked: 0 }),
              ]),
            },
            reconciler: { status: 'on' },
          },
        },
      })
  })

  test('is ready while the read models are behind or nobody follows, and says so', async () => {
    const { get, post } = await served({ readModels: { follow: 'never' }, reconciler: false })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } })
    // Threads that begin on a busy machine may not answer in time at first.
    await expect
      .poll(() => get('/readyz?verbose'), PATIENCE)
      .toMatchObject({
        status: 200,
        body: {
          status: 'ready',
          checks: {
            commands: { status: 'ok' },
            reads: { status: 'not_served' },
            projections: { status: 'behind' },
            reconciler: { status: 'off' },
          },
        },
      })
  })

  test('is not ready when commands can not be taken, and lives on', async () => {
    const { get, node } = await served()
    await node.store.close()
    expect(await get('/readyz')).toMatchObject({ status: 503, body: { status: 'not_ready' } })
    expect(await get('/readyz?verbose')).toMatchObject({
      status: 503,
      body: { checks: { commands: { status: 'closed' } } },
    })
    expect(await get('/livez')).toMatchObject({ status: 200 })
  })

  test('tells its probes without a key, and what stands in the way only to callers that it knows', async () => {
    const { get, as } = await servedTo({ probe: { w: ['viewer'] } })
    expect(await get('/livez')).toMatchObject({ status: 200 })
    expect(await get('/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } })
    expect(await get('/readyz?verbose')).toMatchObject({ status: 401 })
    expect(await get('/readyz?verbose', as('probe'))).toMatchObject({ status: 200 })
  })
})

describe('metrics', () => {
  test('count what the server does and tell what the read models know', async () => {
    const { get, post, node } = await served({ readModels: { follow: 'at_start' } })
    const { body } = await post(`${OWNER}/operations`, { kind: 'export', id: 'a', claim: true })
    await post(`${OWNER}/operations`, { kind: 'export', id: 'b' })
    await post(`${OWNER}/operations/a:complete`, { leaseEpoch: body.leaseEpoch })
    await post(`${OWNER}/operations/b:complete`, {})
    await post(`${OWNER}/commands:batch`, { commands: [{ command: { type: 'Any\n"thing' } }] })
    const seen = async () => {
      const { body: text } = await get('/metrics')
      return new Map<string, number>(
        (text as string)
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
      )
    }
    await expect
      .poll(async () => (await seen()).get('verdict_operations{kind="export",status="completed"}'), PATIENCE)
      .toBe(1)
    const metrics = await seen()
    expect(Object.fromEntries(metrics)).toMatchObject({
      'verdict_operations{kind="export",status="provisioning"}': 1,
      'verdict_operations_by_freshness{freshness="fresh"}': 1,
      'verdict_operations_by_freshness{freshness="terminal"}': 1,
      verdict_oldest_stale_seconds: 0,
      'verdict_command_seconds_count{command="RegisterOperation",result="answered"}': 2,
      'verdict_command_seconds_count{command="CompleteOperation",result="illegal_transition"}': 1,
      'verdict_command_seconds_count{command="unknown",result="invalid_command"}': 1,
      'verdict_http_request_seconds_count{endpoint="registerOperation",status="201"}': 2,
      verdict_waits_open: 0,
      'verdict_projection_lag_events{projection="operation-index"}': 0,
      'verdict_projection_parked_streams{projection="operation-index"}': 0,
    })
    expect(metrics.get('verdict_append_seconds_count')).toBeGreaterThan(0)
    await expect
      .poll(async () => (await seen()).get('verdict_transitions_total{kind="export",transition="completed"}'), {
        ...PATIENCE,
      })
      .toBe(1)
    expect((await seen()).has('verdict_run_time_seconds{kind="export",quantile="0.99"}')).toBe(true)
    expect(node.store.health()).toEqual({ status: 'ok' })
  })

  test('name all that operators are promised, each with a value once there is something to tell', async () => {
    const location = path.join(freshFolder(), 'verdict.db')
    const server = await served({ location, reconciler: false, readModels: { follow: 'at_start' } })
    const { url, get, post } = server
    const { body } = await post(`${OWNER}/operations`, { kind: 'export', id: 'a', claim: true })
    await post(`${OWNER}/operations/a:complete`, { leaseEpoch: body.leaseEpoch })
    // Nobody takes them in time.
    const policy = { provisioningTimeout: '1ms' }
    for (const id of ['b', 'c']) await post(`${OWNER}/operations`, { kind: 'export', id, policy })
    const run = () => post('/v1/reconciler:run', { withoutGrace: true, limit: 1 })
    await expect.poll(async () => (await run()).body.reconciled, PATIENCE).toBe(1)
    const stream = await streamOf(url, '/v1/events')
    const waiting = get(`${OWNER}/operations/c`, { headers: { prefer: 'wait=60' } })

    const promised: Readonly<Record<string, RegExp>> = {
      'operations by kind and status': /^verdict_operations\{kind="export",status="completed"\} 1$/m,
      transitions: /^verdict_transitions_total\{kind="export",transition="started"\} 1$/m,
      'command latency': /^verdict_command_seconds_bucket\{le="10",command="RegisterOperation",result="answered"\} 3$/m,
      'queue wait': /^verdict_queue_wait_seconds\{kind="export",quantile="0\.99"\} \d/m,
      'run time': /^verdict_run_time_seconds\{kind="export",quantile="0\.5"\} \d/m,
      'projection lag, events': /^verdict_projection_lag_events\{projection="operation-index"\} 0$/m,
      'projection lag, time': /^verdict_projection_lag_seconds\{projection="operation-index"\} 0$/m,
      'oldest stale': /^verdict_oldest_stale_seconds (?!0$)\d/m,
      reconciled: /^verdict_transitions_total\{kind="export",transition="reconciled"\} 1$/m,
      'open waits': /^verdict_waits_open 1$/m,
      'SSE clients': /^verdict_event_streams_open 1$/m,
      'fsync latency': /^verdict_log_flush_seconds_count [1-9]/m,
      'append latency': /^verdict_append_seconds_count [1-9]/m,
      'registries in memory': /^verdict_registries_in_memory 1$/m,
      'bytes of registries': /^verdict_registries_in_memory_bytes [1-9]/m,
      'registries loaded again': /^verdict_registries_reloaded_total 0$/m,
    }
    const missing = async () => {
      const text = String((await get('/metrics')).body)
      return Object.keys(promised).filter((name) => !promised[name]?.test(text))
    }
    await expect.poll(missing, PATIENCE).toEqual([])
    stream.leave()
    await post(`${OWNER}/operations/c:force-cancel`)
    expect((await waiting).status).toBe(200)
  })

  test('D3: tell how many streams are parked, by projection', async () => {
    const module = path.join(import.meta.dirname, '..', 'subscriptions', 'support', 'tally-projections.ts')
    const projections = [{ module, name: 'TALLY' }]
    const { get, post } = await served({ readModels: { follow: 'at_start', projections }, reconciler: false })
    for (const owner of ['o', 'p'])
      await post(`/v1/workspaces/w/owners/${owner}/operations`, { kind: 'poison', id: 'a' })
    const parked = async () => String((await get('/metrics')).body).match(/^verdict_projection_parked_streams.*$/gm)
    await expect
      .poll(parked, PATIENCE)
      .toEqual(expect.arrayContaining(['verdict_projection_parked_streams{projection="tally"} 2']))
    expect(await parked()).toContain('verdict_projection_parked_streams{projection="rates"} 0')
  })

  test('are for those who may read every workspace', async () => {
    const { get, as } = await servedTo({ some: { w: ['viewer'] }, prometheus: { '*': ['viewer'] } })
    expect(await get('/metrics')).toMatchObject({ status: 401 })
    expect(await get('/metrics', as('some'))).toMatchObject({ status: 403 })
    expect(await get('/metrics', as('prometheus'))).toMatchObject({ status: 200 })
  })
})

describe('a trace', () => {
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

  test('of the caller is stored with the operation; what is none is left out', async () => {
    const { get, post } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, { headers: { traceparent: parent } })
    await post(`${OWNER}/operations/a:abort`, {}, { headers: { traceparent: '00-zz-zz-01' } })
    const { events } = (await get(`${OWNER}/operations/a/history`)).body
    expect(events.map(({ metadata }: { metadata: object }) => metadata)).toEqual([
      expect.objectContaining({ traceparent: parent }),
      expect.not.objectContaining({ traceparent: expect.anything() }),
    ])
  })

  test('has a span for each request where an SDK of OpenTelemetry runs', async () => {
    const exporter = new InMemorySpanExporter()
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
    trace.setGlobalTracerProvider(provider)
    propagation.setGlobalPropagator({
      inject: () => {},
      fields: () => ['traceparent'],
      extract: (active, carrier, getter) => {
        const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent')).split('-')
        return traceId === ''
          ? active
          : trace.setSpanContext(active, { traceId, spanId, traceFlags: 1, isRemote: true })
      },
    })
    onTestFinished(() => {
      trace.disable()
      propagation.disable()
      context.disable()
    })
    const { post } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, { headers: { traceparent: parent } })
    const finished = (): readonly ReadableSpan[] => exporter.getFinishedSpans()
    await expect.poll(finished).toHaveLength(1)
    const [span] = finished()
    expect(span?.name).toBe('registerOperation')
    expect(span?.spanContext().traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(span?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 201,
      'http.route': '/operations',
      'enduser.id': 'anonymous',
    })
  })
})
