/** What is no HTTP, or takes too long to become a request: told in the same words as everything else, then disconnected. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PROBLEM_MEDIA_TYPE } from '../wire/problem.ts'
import { type ErrorCode, errorResponse } from './error-responses.ts'

const OF_PARSER: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'the headers of the request are too large'],
}

export function clientErrorHandler(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [code, message] = OF_PARSER[error.code ?? ''] ?? ['malformed_request', 'this is no HTTP/1.1 request']
  const { status, problem } = errorResponse({ code, message, facts: {} })
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
