/** A server over a log in memory for the inputs of one seed, with a few operations in it, and what must hold of its answers. */
import { verifyLog } from '../../../src/audit/verify.ts'
import type { ServedVerdict, ServeOptions } from '../../../src/serve.ts'
import { serveVerdict } from '../../../src/serve.ts'
import { assertDescribed } from '../../http/support/described-responses.ts'
import { mustHold, NotHeld } from './fuzz-target.ts'
import { isPolluted } from './hostile-values.ts'
import { exchange, type HttpAnswer, type RequestParts } from './http-exchange.ts'

export interface FuzzedServer extends ServedVerdict {
  /** The answer to it, which holds what every answer must; undefined where the server hung up, as it may on what is no HTTP. */
  ask(request: RequestParts, isEnough?: (soFar: string) => boolean): Promise<HttpAnswer | undefined>
  /** For what has to succeed. */
  said(method: string, target: string, body?: unknown, headers?: RequestParts['headers']): Promise<unknown>
  /** It serves as ever, and what it has written is sound. */
  checkLeft(): Promise<void>
}

/** So long a request may wait by its own wish. */
const WAIT_SECONDS_MAX = 1

export async function fuzzedServer(options: ServeOptions = {}): Promise<FuzzedServer> {
  const server = await serveVerdict('memory:', {
    port: 0,
    reconciler: false,
    readModels: { follow: 'when_asked' },
    ...options,
    settings: {
      logLevel: 'silent',
      httpWaitSecondsMax: WAIT_SECONDS_MAX,
      httpRequestsPerMinuteMax: 0,
      ...options.settings,
    },
  })
  const { port } = server.address
  const ask: FuzzedServer['ask'] = async (request, isEnough) => {
    const answer = await exchange(port, request, isEnough)
    if (answer !== undefined) assertSound(request, answer)
    mustHold(!isPolluted(), () => 'a prototype was changed')
    return answer
  }
  return {
    ...server,
    ask,
    async said(method, target, body, headers = []) {
      const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
      const answer = await ask({ method, target, headers: [HOST, JSON_TYPE, ...headers], body: sent })
      if (answer !== undefined && answer.status < 300) return JSON.parse(answer.text)
      throw new Error(`${method} ${target}: ${answer?.status} ${answer?.text}`)
    },
    async checkLeft() {
      const answer = await ask({ method: 'GET', target: '/livez', headers: [HOST] })
      mustHold(answer?.status === 200, () => `it lives no more: ${answer?.status} ${answer?.text}`)
      const { faults } = await verifyLog(server.node.store)
      mustHold(faults.length === 0, () => `the log is not sound: ${JSON.stringify(faults)}`)
    },
  }
}

export const HOST = ['host', '127.0.0.1'] as const
export const JSON_TYPE = ['content-type', 'application/json'] as const

/** What the description has of it; and where it is a failure of the server, one that has a name and passes. */
function assertSound({ method, target }: RequestParts, answer: HttpAnswer): void {
  const { status, headers, text } = answer
  const media = headers.get('content-type') ?? ''
  const isStream = media.startsWith('text/event-stream')
  const body = /json/.test(media) ? parsed(text, target) : text
  if (status >= 400) assertProblem(target, answer, body)
  mustHold(
    status < 500 || isNamed(body) || target.startsWith('/readyz'),
    () => `${method} ${target} failed: ${status} ${text}`,
  )
  // What is no path is no address of the API either.
  if (isStream || !target.startsWith('/')) return
  try {
    assertDescribed(method, decodedOnce(target), { status, headers, body })
  } catch (error) {
    throw new NotHeld(error instanceof Error ? error.message : String(error))
  }
}

function assertProblem(target: string, { status, headers }: HttpAnswer, body: unknown): void {
  // Both tell a machine that asks in its own way how the server stands.
  if (target.startsWith('/readyz') || target.startsWith('/livez')) return
  const media = headers.get('content-type') ?? ''
  const { code, detail, status: told, type } = (body ?? {}) as Record<string, unknown>
  const isProblem =
    media.startsWith('application/problem+json') &&
    typeof code === 'string' &&
    type === `urn:verdict:problem:${code}` &&
    typeof detail === 'string' &&
    detail !== '' &&
    told === status
  mustHold(isProblem, () => `${status} is told as ${media}: ${JSON.stringify(body)}`)
}

/** Nothing is the matter with the server: it may only be asked for more than there is yet, or too early. */
function isNamed(body: unknown): boolean {
  const { code } = (body ?? {}) as { readonly code?: string }
  return code === 'read_model_behind' || code === 'not_served'
}

function parsed(text: string, target: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new NotHeld(`${target} was answered with what is no JSON: ${text.slice(0, 500)}`)
  }
}

/** As the description's paths have it; the router decodes what stands between slashes. */
function decodedOnce(target: string): string {
  return target.replace(/#.*$/, '')
}
