/** Bytes to a server as they are, which no client would send, and the bytes that come back until it hangs up. */
import { connect } from 'node:net'

const PATIENCE_MS = 30_000

export interface RawAnswer {
  readonly text: string
  /** Of each response in it. */
  readonly statuses: readonly number[]
}

/** Rejects when the server neither ends the connection nor has answered so many requests in time. */
export function raw(port: number, bytes: string | Buffer, { answers = 1 } = {}): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text, statuses: statusesIn(text) })
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end of it after ${PATIENCE_MS} ms: ${JSON.stringify(text.slice(0, 500))}`))
    }, PATIENCE_MS)
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
      if (statusesIn(text).length >= answers && isWhole(text)) done()
    })
    socket.on('close', done)
    // Being cut off is an answer, too.
    socket.on('error', done)
  })
}

function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
}

function isWhole(text: string): boolean {
  const last = text.slice(text.lastIndexOf('HTTP/1.1 '))
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(last)?.[1]
  const body = last.split('\r\n\r\n').slice(1).join('\r\n\r\n')
  return length !== undefined && Buffer.byteLength(body) >= Number(length)
}
