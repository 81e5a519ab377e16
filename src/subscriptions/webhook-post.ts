/** One try of a delivery: a POST with a bounded time and a bounded answer, which follows no redirect. */
import http from 'node:http'
import https from 'node:https'
import { checkedUrl, publicLookup, type Resolve } from './webhook-address.ts'

export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly timeoutMs: number
  readonly allowPrivateAddresses: boolean
}

export type WebhookAnswer =
  | {
      readonly type: 'answered'
      readonly status: number
      /** The beginning of the body, for people who look for what went wrong. */
      readonly text: string
      /** What Retry-After asks for, as it stands there. */
      readonly retryAfter: string | undefined
    }
  /** Nothing came back that is an answer. */
  | { readonly type: 'failed'; readonly message: string }

/** Never throws. */
export type WebhookPost = (request: WebhookRequest, signal: AbortSignal) => Promise<WebhookAnswer>

const ANSWER_BYTES_MAX = 4_096

/** Connections are kept and used again, those to private addresses apart from the others. Closing is for the end. */
export class WebhookClient {
  readonly #public: Agents
  readonly #any: Agents

  constructor(resolve?: Resolve) {
    this.#public = agents({ lookup: publicLookup(resolve) })
    this.#any = agents({})
  }

  readonly post: WebhookPost = async (request, signal) => {
    const timeout = AbortSignal.timeout(request.timeoutMs)
    try {
      return await this.#answer(request, AbortSignal.any([signal, timeout]))
    } catch (error) {
      if (timeout.aborted) return { type: 'failed', message: `no answer within ${request.timeoutMs} ms` }
      return { type: 'failed', message: error instanceof Error ? error.message || String(error) : String(error) }
    }
  }

  close(): void {
    for (const agent of [this.#public, this.#any].flatMap((both) => Object.values(both))) agent.destroy()
  }

  #answer({ url: text, headers, body, allowPrivateAddresses }: WebhookRequest, signal: AbortSignal) {
    const url = checkedUrl(text, allowPrivateAddresses)
    const chosen = allowPrivateAddresses ? this.#any : this.#public
    const bytes = Buffer.from(body)
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': String(bytes.length) },
      signal,
    }
    return new Promise<WebhookAnswer>((resolve, reject) => {
      const sent =
        url.protocol === 'https:'
          ? https.request(url, { ...options, agent: chosen.https })
          : http.request(url, { ...options, agent: chosen.http })
      sent.on('error', reject)
      sent.on('response', (response) => {
        beginningOf(response).then((answer) => {
          const { statusCode: status = 0, headers } = response
          resolve({ type: 'answered', status, text: answer, retryAfter: headers['retry-after'] })
        }, reject)
      })
      sent.end(bytes)
    })
  }
}

interface Agents {
  readonly http: http.Agent
  readonly https: https.Agent
}

function agents(options: https.AgentOptions): Agents {
  const kept = { keepAlive: true, ...options }
  return { http: new http.Agent(kept), https: new https.Agent(kept) }
}

/** So much of the body as is kept; a body that is longer ends the connection. */
async function beginningOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    const part: Buffer = chunk
    chunks.push(part)
    bytes += part.length
    // Leaving the iteration destroys the stream.
    if (bytes >= ANSWER_BYTES_MAX) break
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX).toString('utf8')
}
