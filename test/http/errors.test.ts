import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { DECISION_REJECTIONS, NODE_REJECTIONS } from '../../src/authority/rejections.ts'
import { ERROR_KINDS, errorResponse } from '../../src/http/error-responses.ts'

const PAGE = readFileSync(path.resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8')

describe('docs/errors.md', () => {
  test('lists every code with its status, in the order of the code, and no other', () => {
    const listed = [...PAGE.matchAll(/^\| <a id="(\w+)"><\/a>`(\w+)` \| (\d{3}) \| (yes|no) \| (.+?)\. \S/gm)].map(
      ([, anchor, code, status, retryable, title]) => ({ anchor, code, status, retryable, title }),
    )
    const known = Object.entries(ERROR_KINDS).map(([code, { status, retryable, title }]) => ({
      anchor: code,
      code,
      status: String(status),
      retryable: retryable === true ? 'yes' : 'no',
      title,
    }))
    expect(listed).toEqual(known)
    expect(PAGE.match(/^\| <a /gm)).toHaveLength(known.length)
  })
})

describe('a refusal over HTTP', () => {
  test('exists for everything that the authority and its node refuse', () => {
    for (const code of [...DECISION_REJECTIONS, ...NODE_REJECTIONS]) expect(ERROR_KINDS).toHaveProperty(code)
  })

  test('never hides its standard members behind facts of the same name', () => {
    const facts = { status: 1, code: 'x', title: 'x', type: 'x', detail: 'x', operationId: 'a' }
    expect(errorResponse({ code: 'not_found', message: 'gone', facts }).problem).toEqual({
      type: 'urn:verdict:problem:not_found',
      title: 'Not found',
      status: 404,
      detail: 'gone',
      code: 'not_found',
      retryable: false,
      operationId: 'a',
    })
  })

  test('of a defect tells nothing of it', () => {
    const { problem, status } = errorResponse(
      { code: 'ENOENT', message: '/etc/secret', facts: { path: '/etc' } },
      'r-1',
    )
    expect({ status, code: problem.code, instance: problem.instance }).toEqual({
      status: 500,
      code: 'internal_error',
      instance: 'r-1',
    })
    expect(JSON.stringify(problem)).not.toContain('etc')
  })
})
