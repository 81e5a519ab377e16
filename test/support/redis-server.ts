import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

const STARTED_WITHIN_MS = 10_000

/**
 * A Redis of the test's own: on a socket in a fresh folder, with every write on disk unless it is told otherwise, so that it comes
 * back as it was.
 */
export class RedisServer {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'verdict-redis-'))
  readonly socket = path.join(this.folder, 'redis.sock')
  readonly #appendfsync: string
  #child: ChildProcess | undefined

  private constructor(appendfsync: string) {
    this.#appendfsync = appendfsync
  }

  static async started(appendfsync: 'always' | 'everysec' = 'always'): Promise<RedisServer> {
    const server = new RedisServer(appendfsync)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const { folder, socket } = this
    const appendfsync = this.#appendfsync
    const settings = { port: 0, unixsocket: socket, dir: folder, appendonly: 'yes', appendfsync, save: '' }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    this.#child = spawn('redis-server', args, { stdio: 'ignore' })
    const deadline = Date.now() + STARTED_WITHIN_MS
    while (!(await isAnswering(socket))) {
      if (Date.now() > deadline || this.#child.exitCode !== null) throw new Error('redis-server did not start')
    }
  }

  /** Ends at once, as in a crash. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async dispose(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Whether it answers a PING as one that has loaded all it had. */
function isAnswering(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    const answer = (isUp: boolean) => {
      connection.destroy()
      // Not before another turn of the event loop: whoever asks again lets the server start meanwhile.
      setTimeout(resolve, 10, isUp)
    }
    connection.on('connect', () => connection.write('PING\r\n'))
    connection.on('data', (data) => answer(data.toString().startsWith('+PONG')))
    connection.on('error', () => answer(false))
  })
}
