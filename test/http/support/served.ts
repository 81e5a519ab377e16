/** A server of the test's own, over a log in memory, on a port that was free; closed when the test is over. */
import { onTestFinished } from 'vitest'
import { type ServedVerdict, type ServeOptions, serveVerdict } from '../../../src/serve.ts'
import { assertDescribed } from './described-responses.ts'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  // The schema of the answer is held against it where it is asked for; tests look into it as they like.
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  readonly body: any
}

export interface Asked {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Served extends ServedVerdict {
  get(path: string, asked?: Asked): Promise<Answered>
  post(path: string, body?: unknown, asked?: Asked): Promise<Answered>
  ask(method: string, path: string, asked?: Asked): Promise<Answered>
}

export async function served(options: ServeOptions & { readonly location?: string } = {}): Promise<Served> {
  const { location = 'memory:', ...rest } = options
  // Threads that nobody asks anything would be most of what a test takes.
  const threads = { readModels: { follow: 'when_asked' as const }, webhooks: undefined }
  const quiet = { settings: { logLevel: 'silent' as const }, ...threads }
  const server = await serveVerdict(location, { port: 0, ...quiet, ...rest })
  onTestFinished(() => server.close())
  const ask = async (method: string, path: string, { body, headers = {}, signal }: Asked = {}): Promise<Answered> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { ...type, ...headers },
      ...sent,
      ...(signal === undefined ? {} : { signal }),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const answered = { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
    assertDescribed(method, path, answered)
    return answered
  }
  return {
    ...server,
    ask,
    get: (path, asked) => ask('GET', path, asked),
    post: (path, body = {}, asked = {}) => ask('POST', path, { ...asked, body }),
  }
}
