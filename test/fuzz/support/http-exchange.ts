/** One request as bytes that no client would send, on a connection of its own, and the answer taken apart. */
import { connect } from 'node:net'

export interface RequestParts {
  readonly method: string
  /** Whatever stands between the method and the version. */
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body?: Buffer | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** An answer that takes longer is none. */
const ANSWER_MS_MAX = 30_000

/**
 * The answer; undefined where the server hung up without one. `isEnough` ends a stream that goes on. Rejects for what is no HTTP, and where
 * nothing comes.
 */
export function exchange(
  port: number,
  request: RequestParts,
  isEnough: (soFar: string) => boolean = () => false,
): Promise<HttpAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(bytesOf(request)))
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no answer after ${ANSWER_MS_MAX} ms`))
    }, ANSWER_MS_MAX)
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      try {
        resolve(answerIn(Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    }
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (isEnough(String(chunk))) done()
    })
    socket.on('end', done)
    socket.on('close', done)
    // Being cut off is an answer, too.
    socket.on('error', done)
  })
}

/** Names and values are written as they are, a byte for each character; a request that has a body says how long it is. */
export function bytesOf({ method, target, headers, body }: RequestParts): Buffer {
  const length = body === undefined ? [] : [['content-length', String(body.length)] as const]
  const lines = [...headers, ...length, ['connection', 'close'] as const].map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'),
    body ?? Buffer.of(),
  ])
}

function answerIn(bytes: Buffer): HttpAnswer | undefined {
  if (bytes.length === 0) return undefined
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) throw new Error(`the head of an answer without an end: ${bytes.toString()}`)
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const status = /^HTTP\/1\.1 ([1-5]\d\d) [ -~]*$/.exec(first)?.[1]
  if (status === undefined) throw new Error(`no status line: ${first}`)
  const headers = new Headers()
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`no header: ${line}`)
    headers.append(name, value)
  }
  const rest = bytes.subarray(end + 4)
  const length = headers.get('content-length')
  if (length !== null && Number(length) !== rest.length) {
    throw new Error(`${rest.length} bytes after content-length: ${length}`)
  }
  const body = headers.get('transfer-encoding') === 'chunked' ? unchunked(rest) : rest
  return { status: Number(status), headers, text: body.toString() }
}

/** Of a stream that was left, what had come. */
function unchunked(bytes: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) break
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString(), 16)
    if (Number.isNaN(size)) throw new Error(`no size of a chunk: ${bytes.subarray(at, lineEnd)}`)
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return Buffer.concat(pieces)
}
