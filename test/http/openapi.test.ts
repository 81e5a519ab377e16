import { createConfig, lintFromString } from '@redocly/openapi-core'
import { describe, expect, test } from 'vitest'
import { API_ENDPOINTS } from '../../src/http/endpoints.ts'
import { addressesOf } from '../../src/http/routing.ts'
import { assertDescribed } from './support/described-responses.ts'
import { served } from './support/served.ts'

describe('the description of the API', () => {
  test('is OpenAPI 3.1 that a public linter has nothing against', async () => {
    const { get } = await served()
    const { status, body } = await get('/openapi.json')
    expect({ status, openapi: body.openapi }).toEqual({ status: 200, openapi: '3.1.0' })
    const config = await createConfig({ extends: ['recommended-strict'], telemetry: 'off' })
    const lint = async (document: object) =>
      (await lintFromString({ source: JSON.stringify(document), config })).map(
        ({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`,
      )
    expect(await lint(body)).toEqual([])
    expect(await lint({ ...body, info: { title: 'Verdict' } })).toEqual(
      expect.arrayContaining([expect.stringMatching(/`version`/)]),
    )
  })

  test('has every endpoint, under each of its addresses, once', async () => {
    const { get } = await served()
    const { body } = await get('/openapi.json')
    const described = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const mounted = API_ENDPOINTS.flatMap(addressesOf).map(({ endpoint, path }) => `${endpoint.method} ${path}`)
    expect(described.sort()).toEqual(mounted.sort())
    expect(new Set(mounted).size).toBe(mounted.length)
  })

  test('has requests closed and answers open', async () => {
    const { get } = await served()
    const { schemas } = (await get('/openapi.json')).body.components
    expect(schemas.RegisterOperation.additionalProperties).toBe(false)
    expect(schemas.Operation.additionalProperties).not.toBe(false)
  })

  test('would not let a test pass that meets what it does not have', () => {
    const headers = new Headers({ 'content-type': 'application/json' })
    const met = (status: number, body: unknown) => () =>
      assertDescribed('GET', '/v1/operations/a', { status, headers, body })
    expect(met(201, {})).toThrow('answered 201, which its description does not have')
    expect(met(200, { id: 7 })).toThrow("must have required property 'workspace'")
    expect(met(404, {})).toThrow('as "application/json", described as application/problem+json')
  })

  test('is read by people on a page that asks no other server for anything', async () => {
    const { get } = await served()
    const page = await get('/docs/')
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page.body).toContain('/openapi.json')
    expect(page.body).not.toMatch(/(?:src|href)="https?:/)
    expect((await get('/docs/js/scalar.js')).headers.get('content-type')).toMatch(/javascript/)
  })
})
