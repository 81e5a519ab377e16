/** One life of a node process: asked, heard and killed. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { LeaseCause } from '../../../src/client/door.ts'
import type { Asked, Reply, Request, Said } from './node-protocol.ts'

/** Undefined: it ended before it answered. */
export interface Heard {
  readonly reply: Reply | undefined
  /** By the monotonic clock of this process, in ms. */
  readonly at: number
}

/** Nobody may send to it any more. */
const IDLE_MS_MAX = 500
const MAIN = join(import.meta.dirname, 'node-main.ts')

export class NodeProcess {
  /** Unique over all lives of all nodes. */
  readonly name: string
  readonly ready: Promise<void>
  /** Ends with the process, when everything that it said was heard. */
  readonly ended: Promise<void>
  /** What nobody expected of it. */
  readonly faults: string[] = []
  readonly #child: ChildProcess
  readonly #open = new Map<number, (heard: Heard) => void>()
  readonly #listeners = new Map<number, (cause: LeaseCause) => void>()
  #sent = Promise.withResolvers<void>()
  #requests = 0
  #isReady = false
  #isEnding = false

  constructor(name: string, place: string) {
    this.name = name
    this.#child = fork(MAIN, [place], { serialization: 'advanced', stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    let complained = ''
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (complained += text))
    this.#child.on('message', (message) => this.#heard(message as Said, resolve)) // as node-main says
    // Killed between two writes it takes what is sent to it no more.
    this.#child.on('error', () => {})
    this.ended = once(this.#child, 'close').then(() => {
      if (!this.#isEnding) this.faults.push(`${name} ended by itself: ${complained}`)
      else if (complained !== '') this.faults.push(`${name} complained: ${complained}`)
      const at = performance.now()
      for (const resolve of this.#open.values()) resolve({ reply: undefined, at })
      this.#open.clear()
      resolve()
    })
  }

  get isUp(): boolean {
    return this.#isReady && !this.#isEnding && this.#child.connected
  }

  /** `onNotice` for a request that listens. */
  ask(asked: Request, onNotice?: (cause: LeaseCause) => void): Promise<Heard> {
    const request = ++this.#requests
    return new Promise((resolve) => {
      this.#open.set(request, resolve)
      if (onNotice !== undefined) this.#listeners.set(request, onNotice)
      const message: Asked = { request, asked }
      this.#child.send(message, () => {})
      if (asked.do === 'send') this.#sent.resolve()
    })
  }

  /** So long after the next command was sent to it. */
  async killAtWork(afterMs: number): Promise<void> {
    this.#sent = Promise.withResolvers()
    await Promise.race([this.#sent.promise.then(() => delay(afterMs)), delay(IDLE_MS_MAX)])
    await this.kill()
  }

  async kill(): Promise<void> {
    this.#isEnding = true
    this.#child.kill('SIGKILL')
    await this.ended
  }

  async end(): Promise<void> {
    this.#isEnding = true
    await this.ask({ do: 'close' })
    await this.ended
  }

  #heard(said: Said, ready: () => void): void {
    switch (said.type) {
      case 'ready':
        this.#isReady = true
        ready()
        return
      case 'notice':
        this.#listeners.get(said.request)?.(said.cause)
        return
      case 'reply': {
        const resolve = this.#open.get(said.request)
        this.#open.delete(said.request)
        if (resolve === undefined) this.faults.push(`${this.name} answered request ${said.request} twice`)
        resolve?.({ reply: said.reply, at: performance.now() })
        return
      }
      default:
        said satisfies never
    }
  }
}
