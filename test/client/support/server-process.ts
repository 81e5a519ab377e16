/** A server that can be killed and started again in its place, over one log. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { freshFolder } from './opened-verdict.ts'

const MAIN = path.resolve(import.meta.dirname, 'server-main.ts')

export class ServerProcess {
  readonly url: string
  readonly #location: string
  readonly #options: object
  #child: ChildProcess

  private constructor(url: string, location: string, options: object, child: ChildProcess) {
    this.url = url
    this.#location = location
    this.#options = options
    this.#child = child
  }

  static async start(options: object = {}): Promise<ServerProcess> {
    const location = path.join(freshFolder(), 'verdict.db')
    const { url, child } = await begun(location, '0', options)
    const server = new ServerProcess(url, location, options, child)
    onTestFinished(() => server.kill())
    return server
  }

  get location(): string {
    return this.#location
  }

  /** At once, with nothing said to anybody. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** As an operator ends it. */
  terminate(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** At the same address. */
  async restart(): Promise<void> {
    await this.kill()
    const { child } = await begun(this.#location, new URL(this.url).port, this.#options)
    this.#child = child
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }
}

async function begun(location: string, port: string, options: object) {
  const child = spawn(process.execPath, [MAIN, location, port, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const [url] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => Promise.reject(new Error(`the server at port ${port} ended before it listened`))),
  ])) as [string]
  return { url, child }
}
