import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { AppendResult, LogHealth } from '../../src/event-store/event-store.ts'

export interface Acknowledged {
  readonly stream: string
  readonly revision: number
  readonly id: string
}

export type Order =
  | { readonly do: 'append'; readonly stream: string; readonly results?: readonly unknown[] }
  /** The last append to the stream once more, as it was. */
  | { readonly do: 'again'; readonly stream: string }
  | { readonly do: 'read'; readonly stream: string }
  | { readonly do: 'health' }
  | { readonly do: 'contend'; readonly streams: readonly string[]; readonly wins: number }
  /** Appends until it is killed, and says each acknowledged one. */
  | { readonly do: 'pour'; readonly streams: readonly string[] }
  | { readonly do: 'close' }

export interface LogProcessOptions {
  readonly path: string
  readonly lockWaitMs?: number
  readonly uid?: number
  /** A program that runs it, with its arguments. */
  readonly under?: readonly string[]
}

const MAIN = path.resolve(import.meta.dirname, '../event-store/log-process-main.ts')

/** Another process that holds a log, and is told what to do: see log-process-main.ts. */
export class LogProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>

  constructor({ path: logPath, lockWaitMs = 2_000, uid, under = [] }: LogProcessOptions) {
    const identity = uid === undefined ? {} : { uid, gid: uid }
    const [program = '', ...args] = [...under, process.execPath, MAIN, logPath, String(lockWaitMs)]
    this.#child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      ...identity,
    })
    if (this.#child.stdout === null) throw new Error('The process has no output.')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#exited = once(this.#child, 'exit')
    // A write after it was killed is no news.
    this.#child.stdin?.on('error', () => {})
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** `{ type: 'opened' }`, or `{ type: 'error', code, message }`. */
  opened(): Promise<unknown> {
    return this.hear()
  }

  append(stream: string, results?: readonly unknown[]): Promise<AppendResult> {
    return this.ask({ do: 'append', stream, ...(results && { results }) }) as Promise<AppendResult> // as main answers
  }

  again(stream: string): Promise<AppendResult> {
    return this.ask({ do: 'again', stream }) as Promise<AppendResult> // as main answers
  }

  read(stream: string): Promise<{ ids: string[]; chain: string }> {
    return this.ask({ do: 'read', stream }) as Promise<{ ids: string[]; chain: string }> // as main answers
  }

  health(): Promise<LogHealth> {
    return this.ask({ do: 'health' }) as Promise<LogHealth> // as main answers
  }

  ask(order: Order): Promise<unknown> {
    this.tell(order)
    return this.hear()
  }

  tell(order: Order): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  async hear(): Promise<unknown> {
    const { done, value } = await this.#lines.next()
    if (done) throw new Error('The process that holds the log has ended.')
    return JSON.parse(value)
  }

  /** Everything that it still said before it ended. */
  async rest(): Promise<unknown[]> {
    const said: unknown[] = []
    for (;;) {
      const { done, value } = await this.#lines.next()
      if (done) return said
      said.push(JSON.parse(value))
    }
  }

  /** Closes the log and ends. */
  async end(): Promise<void> {
    this.#child.stdin?.end()
    await this.#exited
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}
