/**
 * One request to a server over `fetch`, and what came of it as a value: an answer, a refusal, or nothing. What came of it in
 * the server is not known in the last case, unless the request certainly never reached one.
 */
import type { Place } from '../authority/command-answer.ts'
import type { Rejection } from '../authority/rejections.ts'
import { placeOfProblem, problemSchema, rejectionOfProblem } from '../wire/problem.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Behind the address of the server, from `/v1` on. */
  readonly path: string
  readonly query?: Readonly<Record<string, QueryValue>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** How long the server may wait for what is asked. */
  readonly waitSeconds?: number
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** A list is the same name several times. */
export type QueryValue = string | number | bigint | boolean | undefined | readonly string[]

export type HttpAnswer =
  | { readonly type: 'answered'; readonly status: number; readonly body: unknown }
  | HttpRefusal
  | HttpLoss

export interface HttpRefusal {
  readonly type: 'refused'
  readonly status: number
  readonly rejection: Rejection
  readonly place: Place | undefined
  /** How soon it is worth while to try again, where the server said so. */
  readonly retryAfterMs: number | undefined
}

export interface HttpLoss {
  readonly type: 'lost'
  readonly message: string
  /** No server ever saw it. */
  readonly isUnsent: boolean
}

/** What a stream is told to whoever reads it. */
export interface StreamReader {
  /** The server answers; text follows. */
  readonly begun: () => void
  readonly heard: (text: string) => void
  /** A server that says nothing for so long is taken for gone; asked again after each silence. */
  readonly silenceMsMax: () => number
}

export interface TransportOptions {
  readonly fetch?: typeof fetch
  /** Sent as `Authorization: Bearer`; a function is asked for each request, so that keys and tokens can be renewed. */
  readonly apiKey?: string | (() => string | Promise<string>)
  /** A server that says nothing for so long, beyond what it was told to wait, is taken for gone. */
  readonly silenceMsMax: number
}

export class HttpTransport {
  readonly #base: string
  readonly #options: TransportOptions

  /** Throws TypeError for what is no http address. */
  constructor(url: string | URL, options: TransportOptions) {
    const { protocol, origin, pathname, username, search, hash } = new URL(url)
    if (!/^https?:$/.test(protocol)) throw new TypeError(`a server has an http or https address, got ${protocol}`)
    if (username !== '' || search !== '' || hash !== '') {
      throw new TypeError('the address of a server has no user, no query and no fragment: the key is an option')
    }
    this.#base = origin + pathname.replace(/\/+$/, '')
    this.#options = options
  }

  /** Without the key. */
  get address(): string {
    return this.#base
  }

  /** Throws the signal's reason when it aborts, and nothing else. */
  async call(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer> {
    const over = new AbortController()
    const leave = () => over.abort(signal?.reason)
    const timer = setTimeout(() => over.abort(SILENCE), (request.waitSeconds ?? 0) * 1_000 + this.#options.silenceMsMax)
    // Not `AbortSignal.any`: V8 lets go of what weak references lead to with the old objects only, and that took an eighth of a request.
    signal?.addEventListener('abort', leave, { once: true })
    try {
      signal?.throwIfAborted()
      const response = await this.#send(request, over.signal)
      const text = await response.text()
      return answerOf(response, text)
    } catch (error) {
      signal?.throwIfAborted()
      if (over.signal.reason === SILENCE) return lost('the server does not answer')
      return { type: 'lost', message: messageOf(error), isUnsent: isUnsent(error) }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', leave)
    }
  }

  /**
   * A request that is answered as a stream of text, for as long as it goes: `ended` where the server ended it. Throws the reason with
   * which it was said to be over, and nothing else; says so itself when the server is silent.
   */
  async stream(
    request: HttpRequest,
    { begun, heard, silenceMsMax }: StreamReader,
    over: AbortController,
  ): Promise<HttpRefusal | HttpLoss | { readonly type: 'ended' }> {
    const { signal } = over
    let heardAt = performance.now()
    let boundMs = this.#options.silenceMsMax
    const look = () => {
      const leftMs = heardAt + boundMs - performance.now()
      if (leftMs <= 0) over.abort(SILENCE)
      else timer = setTimeout(look, leftMs)
    }
    let timer = setTimeout(look, boundMs)
    try {
      const headers = { ...request.headers, accept: 'text/event-stream' }
      const response = await this.#send({ ...request, headers }, signal)
      if (!response.ok || response.body === null || !isStream(response)) {
        const answer = answerOf(response, await response.text())
        return answer.type === 'answered' ? lost('what was to be a stream is none') : answer
      }
      begun()
      const reader = response.body.getReader()
      const decoder = new TextDecoder()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return { type: 'ended' }
        heard(decoder.decode(value, { stream: true }))
        heardAt = performance.now()
        boundMs = silenceMsMax()
      }
    } catch (error) {
      if (signal.reason === SILENCE) return lost('the server does not answer')
      signal.throwIfAborted()
      return { type: 'lost', message: messageOf(error), isUnsent: isUnsent(error) }
    } finally {
      clearTimeout(timer)
    }
  }

  async #send(
    { method, path, query, body, waitSeconds, headers }: HttpRequest,
    signal: AbortSignal,
  ): Promise<Response> {
    const { fetch: send = fetch, apiKey } = this.#options
    const key = typeof apiKey === 'function' ? await apiKey() : apiKey
    const given = Object.entries({
      accept: 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` }),
      ...headers,
    }).filter((entry): entry is [string, string] => entry[1] !== undefined)
    return send(this.#base + path + queryText(query), {
      method,
      headers: given,
      signal,
      redirect: 'error',
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }
}

/** `/a/{b}` with what is not plain encoded; half a character is the one that stands for what can't be told. */
export function pathOf(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((path, part, i) => path + encodeURIComponent(String(values[i - 1] ?? '').toWellFormed()) + part)
}

function queryText(query: HttpRequest['query'] = {}): string {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) given.append(name, String(one))
  }
  return given.size === 0 ? '' : `?${given}`
}

function answerOf(response: Response, text: string): HttpAnswer {
  const { status, ok, headers } = response
  const body = parsed(text)
  if (ok && body !== undefined) return { type: 'answered', status, body: body.value }
  const problem = problemSchema.safeParse(body?.value)
  // Not the server's own words: something between it and us answered in its place.
  if (!problem.success) return lost(`status ${status} without an answer of the server`)
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  return {
    type: 'refused',
    status,
    rejection: rejectionOfProblem(problem.data),
    place: placeOfProblem(problem.data),
    retryAfterMs: retryAfter >= 0 ? retryAfter * 1_000 : undefined,
  }
}

/** Made once: a reason that is made for each costs more than the rest of ending a stream. */
const SILENCE = new Error('the server is silent')

function isStream({ headers }: Response): boolean {
  return /^text\/event-stream\b/i.test(headers.get('content-type') ?? '')
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function lost(message: string): HttpLoss {
  return { type: 'lost', message, isUnsent: false }
}

/** Node names why a connection was never made; elsewhere nobody does, and it counts as sent. */
const NEVER_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function isUnsent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  const causes = cause instanceof AggregateError ? cause.errors : [cause]
  return causes.every((one) => one instanceof Error && 'code' in one && NEVER_CONNECTED.has(one.code))
}

/** Of what `fetch` threw: why, where it says so. A name with several addresses fails once for each. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message
}
