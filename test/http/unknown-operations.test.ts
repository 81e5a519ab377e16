/** An id without its owner, while the read models can't say whose it is. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const PATIENCE = { timeout: 60_000 }
/** As little as a busy machine allows: what is not there is waited for as long. */
const IMPATIENT = { settings: { questionTimeoutMs: 1_000, logLevel: 'silent' } } as const

test('an operation is not said to be nowhere before the read models have seen the whole log', {
  timeout: 180_000,
}, async () => {
  const location = path.join(freshFolder(), 'verdict.db')
  const unbuilt = await served({ location, readModels: { follow: 'never' }, reconciler: false })
  await unbuilt.post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
  await unbuilt.close()
  const stillUnbuilt = await served({ location, ...IMPATIENT, readModels: { follow: 'never' }, reconciler: false })
  const met = await Promise.all([
    stillUnbuilt.get('/v1/operations/nowhere'),
    stillUnbuilt.get('/v1/operations/a'),
    stillUnbuilt.post('/v1/operations/a:cancel'),
  ])
  for (const { status, body, headers } of met) {
    expect({ status, code: body.code, retryable: body.retryable }).toEqual({
      status: 503,
      code: 'not_served',
      retryable: true,
    })
    expect(headers.get('retry-after')).toBe('1')
    expect(JSON.stringify(body)).not.toContain(path.dirname(location))
  }
  await stillUnbuilt.close()

  const following = await served({ location, readModels: { follow: 'at_start' }, reconciler: false })
  await expect.poll(async () => (await following.get('/v1/operations/nowhere')).status, PATIENCE).toBe(404)
  expect(await following.get('/v1/operations/a')).toMatchObject({ status: 200, body: { owner: 'o' } })
  await following.close()

  const behind = await served({ location, ...IMPATIENT, readModels: { follow: 'never' }, reconciler: false })
  await behind.post(`${OWNER}/operations`, { kind: 'k', id: 'b' })
  expect(await behind.get('/v1/operations/nowhere')).toMatchObject({
    status: 503,
    body: { code: 'read_model_behind', retryable: true },
  })
  expect(await behind.get(`${OWNER}/operations/b`)).toMatchObject({ status: 200 })
})
