/**
 * The one way to ask the server. An answer is what the API describes; a refusal is an `ApiProblem` with its code and words; a
 * server that can't be reached is an `Unreachable`. Who is not known is led to the login page.
 */
import type { Problem } from '../wire/problem.ts'
import { tellServerTime } from './clock.ts'
import { navigate, route } from './route.ts'

/** What is a bigint in the server's own types is a decimal string over the wire. */
export type OnWire<T> = { readonly [Name in keyof T]: T[Name] extends bigint ? string : T[Name] }

/** A refusal (RFC 9457): `code` is stable, `message` is for people. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly problem: Problem
  /** When it is worth while to ask again, where the server said so. */
  readonly retryAfterMs: number | undefined

  constructor(problem: Problem, retryAfterMs?: number) {
    super(problem.detail)
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }

  get code(): string {
    return this.problem.code
  }

  get status(): number {
    return this.problem.status
  }
}

/** Nobody answered, or nobody who speaks as this server does. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

export interface Asked {
  readonly signal?: AbortSignal
}

/** Names with values; several values of one name are written several times, undefined ones not at all. */
export type Query = Readonly<Record<string, QueryValue | readonly QueryValue[] | undefined>>
type QueryValue = string | number | boolean

/** Throws ApiProblem, Unreachable, and what the signal was aborted with. */
export function get<T>(path: string, query: Query = {}, { signal }: Asked = {}): Promise<T> {
  return ask<T>(withQuery(path, query), signal === undefined ? {} : { signal })
}

/** The same key and body have one effect, however often they are sent. */
export function post<T>(
  path: string,
  body: unknown,
  { signal, idempotencyKey }: Asked & { readonly idempotencyKey?: string } = {},
): Promise<T> {
  return ask<T>(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    ...(signal === undefined ? {} : { signal }),
  })
}

export function remove<T>(path: string, { signal }: Asked = {}): Promise<T> {
  return ask<T>(path, { method: 'DELETE', ...(signal === undefined ? {} : { signal }) })
}

export function withQuery(path: string, query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, given]) =>
    (Array.isArray(given) ? given : [given]).flatMap((value) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    ),
  )
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs)}`
}

async function ask<T>(address: string, init: RequestInit): Promise<T> {
  const response = await answered(address, init)
  tellServerTime(response.headers.get('date'))
  const type = response.headers.get('content-type') ?? ''
  const isJson = /^application\/(.+\+)?json\b/.test(type)
  if (!isJson)
    throw new Unreachable(`what answers at ${window.location.origin} is not this server (${response.status})`)
  const body: unknown = await bodyOf(response)
  // Health has a status of its own where something is wrong, and tells what: that is no refusal.
  if (response.ok || !type.startsWith('application/problem+json')) return body as T // as the API describes it
  if (response.status === 401) leadToLogin()
  throw new ApiProblem(body as Problem, retryAfterMsOf(response))
}

async function answered(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { ...init, credentials: 'same-origin', cache: 'no-store' })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Unreachable('the server does not answer')
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Unreachable('the answer of the server broke off')
  }
}

function retryAfterMsOf({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined
}

/** Afterwards it goes on where it was. */
function leadToLogin(): void {
  if (route.value.type === 'login') return
  const { pathname, search } = window.location
  navigate(`/login?${new URLSearchParams({ next: `${pathname}${search}` })}`, { replace: true })
}
