/** Server-sent events as a client reads them: by the standard, over fetch. */
import { onTestFinished } from 'vitest'

export interface SentEvent {
  readonly id?: string
  readonly event?: string
  readonly data: string
}

export interface SentEvents {
  readonly status: number
  readonly headers: Headers
  readonly events: AsyncGenerator<SentEvent, void, void>
  /** Ends when so many comments have come. */
  commented(count: number): Promise<void>
  leave(): void
}

export async function streamOf(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: unknown,
): Promise<SentEvents> {
  const left = new AbortController()
  onTestFinished(() => left.abort())
  const posted = { method: 'POST', body: JSON.stringify(body) }
  const type = { 'content-type': 'application/json' }
  const response = await fetch(url + path, {
    headers: { accept: 'text/event-stream', ...(body === undefined ? {} : type), ...headers },
    signal: left.signal,
    ...(body === undefined ? {} : posted),
  })
  const arrived: SentEvent[] = []
  let comments = 0
  let hasEnded = false
  let moved = Promise.withResolvers<void>()
  const tell = () => {
    moved.resolve()
    moved = Promise.withResolvers<void>()
  }
  const reads = async () => {
    const commented = () => {
      comments++
      tell()
    }
    for await (const event of reading(response, commented)) {
      arrived.push(event)
      tell()
    }
  }
  reads()
    // Left by the test, or cut off by the server.
    .catch(() => {})
    .finally(() => {
      hasEnded = true
      tell()
    })
  return {
    status: response.status,
    headers: response.headers,
    events: (async function* () {
      for (;;) {
        const next = arrived.shift()
        if (next !== undefined) yield next
        else if (hasEnded) return
        else await moved.promise
      }
    })(),
    async commented(count) {
      while (comments < count) await moved.promise
    },
    leave: () => left.abort(),
  }
}

async function* reading(response: Response, onComment: () => void): AsyncGenerator<SentEvent, void, void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      if (block.startsWith(':')) onComment()
      const fields = block.split('\n').flatMap((line) => {
        const [, name, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? []
        return name === undefined ? [] : [[name, value] as const]
      })
      const { id, event, data } = Object.fromEntries(fields)
      if (data !== undefined) {
        yield { ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }), data }
      }
    }
  }
}
