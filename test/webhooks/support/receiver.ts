import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import type { CloudEvent } from '../../../src/authority/cloud-event.ts'

export interface Received {
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly event: CloudEvent
}

export type Answer = (request: Received, response: http.ServerResponse) => void

/** A server that is sent webhooks, for as long as the test runs; it answers 204 unless it is told otherwise. */
export class Receiver {
  readonly received: Received[] = []
  readonly url: string
  answer: Answer = (_request, response) => response.writeHead(204).end()
  readonly #server: http.Server

  private constructor(server: http.Server) {
    this.#server = server
    const { port } = server.address() as AddressInfo // it listens on a port
    this.url = `http://127.0.0.1:${port}/hooks`
  }

  static async started(): Promise<Receiver> {
    const server = http.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const receiver = new Receiver(server)
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const body = Buffer.concat(chunks).toString('utf8')
      const received = { headers: request.headers, body, event: JSON.parse(body) }
      receiver.received.push(received)
      receiver.answer(received, response)
    })
    onTestFinished(() => receiver.close())
    return receiver
  }

  /** `type subject` of what came, without the prefix. */
  told(): readonly string[] {
    return this.received.map(({ event }) => `${event.type.replace('verdict.', '')} ${event.subject ?? '-'}`)
  }

  /** Ends when so many have come. */
  async has(count: number): Promise<void> {
    await vi.waitFor(
      () => {
        if (this.received.length < count) throw new Error(`${this.received.length} of ${count} have come`)
      },
      { timeout: 30_000, interval: 5 },
    )
  }

  status(status: number, headers: http.OutgoingHttpHeaders = {}): void {
    this.answer = (_request, response) => response.writeHead(status, headers).end('words of the receiver')
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
