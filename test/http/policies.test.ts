/** Policies over HTTP, with durations as people write them. */
import { describe, expect, test } from 'vitest'
import { durationMs } from '../../src/client/durations.ts'
import { policyOf } from '../../src/client/policy-options.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'

async function storedPolicy(server: Awaited<ReturnType<typeof served>>, id: string) {
  const { body } = await server.get(`${OWNER}/operations/${id}/history`)
  return body.events[0].facts.policy
}

describe('a policy', () => {
  test('may say its durations as people write them, and is stored in numbers', async () => {
    const server = await served()
    const policy = {
      staleAfter: '2m',
      heartbeatInterval: '15s',
      lateAfter: 60_000,
      maxRuntime: '1h 30m',
      progressTimeout: null,
      cancelGrace: '90s',
      retry: { maxAttempts: 2, backoff: { initial: '1s', factor: 2, max: '1m', jitter: 0 } },
      queue: { retryAfter: '3h', safetyMargin: '1m', workerStopWait: '2h' },
    }
    expect(await server.post(`${OWNER}/operations`, { kind: 'k', id: 'a', policy })).toMatchObject({ status: 201 })
    expect(await storedPolicy(server, 'a')).toMatchObject({
      staleAfterMs: 120_000,
      heartbeatIntervalMs: 15_000,
      lateAfterMs: 60_000,
      maxRuntimeMs: 5_400_000,
      progressTimeoutMs: null,
      cancelGraceMs: 90_000,
      retry: { maxAttempts: 2, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 } },
      queue: { retryAfterMs: 10_800_000, safetyMarginMs: 60_000, workerStopWaitMs: 7_200_000 },
    })
  })

  test('in words, in numbers and from the SDK is the same command: one key, one effect', async () => {
    const { post } = await served()
    const asked = { headers: { 'idempotency-key': 'k-1' } }
    const send = (policy: unknown) => post(`${OWNER}/operations`, { kind: 'k', id: 'a', policy }, asked)
    const first = await send({ staleAfter: '2m', maxRuntime: null })
    expect(first).toMatchObject({ status: 201, body: { changed: true } })
    expect((await send({ staleAfterMs: 120_000, maxRuntimeMs: null })).body).toEqual(first.body)
    expect((await send(policyOf({ staleAfter: '120s', maxRuntime: null }))).body).toEqual(first.body)
    expect(await send({ staleAfter: '3m' })).toMatchObject({ status: 422 })
  })

  test('may do so within a batch, and what is wrong with one is told of that one', async () => {
    const server = await served()
    const register = (id: string, policy: unknown) => ({
      command: { type: 'RegisterOperation', kind: 'k', id, policy },
    })
    const { body } = await server.post(`${OWNER}/commands:batch`, {
      commands: [register('a', { staleAfter: '15m' }), register('b', { staleAfter: 'soon' }), register('c', 'none')],
    })
    expect(body.results).toMatchObject([
      { type: 'answered' },
      { type: 'refused', problem: { code: 'invalid_command', path: 'policy.staleAfter' } },
      { type: 'answered' },
    ])
    expect((await storedPolicy(server, 'a')).staleAfterMs).toBe(durationMs('15m', ''))
  })

  test.each([
    [{ staleAfter: 'soon' }, 'policy.staleAfter', /^milliseconds as a whole number from 0, or a text such as/],
    [{ staleAfter: '5' }, 'policy.staleAfter', /^milliseconds/],
    [{ staleAfter: '-5s' }, 'policy.staleAfter', /^milliseconds/],
    [{ staleAfter: 1.5 }, 'policy.staleAfter', /^milliseconds/],
    [{ staleAfter: ['2m'] }, 'policy.staleAfter', /^milliseconds/],
    [{ retry: { backoff: { initial: '1 parsec' } } }, 'policy.retry.backoff.initial', /^milliseconds/],
    [{ queue: { retryAfter: true } }, 'policy.queue.retryAfter', /^milliseconds/],
    [{ staleAfter: '2m', staleAfterMs: 120_000 }, 'policy.staleAfter', /^no second word for staleAfterMs$/],
    [{ staleAfter: '0s' }, 'policy.staleAfterMs', /./],
    [{ staleAfter: null }, 'policy.staleAfterMs', /./],
    [{ staleAfterMs: '2m' }, 'policy.staleAfterMs', /./],
    [{ patience: '2m' }, 'policy.patience', /./],
    [{ retry: '3' }, 'policy.retry', /./],
    [['2m'], 'policy', /./],
    [7, 'policy', /./],
  ])('that is none is refused with its place and what is expected there: %j', async (policy, path, expected) => {
    const { post, node } = await served()
    const end = await node.store.end()
    const refused = await post(`${OWNER}/operations`, { kind: 'k', policy })
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_command', path } })
    expect(refused.body.expected).toMatch(expected)
    expect(await node.store.end()).toBe(end)
  })

  test('is described with both ways to write a duration', async () => {
    const { get } = await served()
    const { schemas } = (await get('/openapi.json')).body.components
    const [, policy] = schemas.RegisterOperation.properties.policy.anyOf
    expect(Object.keys(policy.properties)).toEqual(expect.arrayContaining(['staleAfter', 'staleAfterMs', 'maxRuntime']))
    expect(schemas.Duration.anyOf).toMatchObject([{ type: 'integer' }, { type: 'string' }])
  })
})
