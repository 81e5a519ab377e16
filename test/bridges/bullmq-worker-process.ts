import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { WorkerOptions } from 'bullmq'
import type { JobPolicy } from '../../src/bullmq.ts'

export interface WorkerOrder {
  /** Path of the log on SQLite. */
  readonly log: string
  readonly socket: string
  readonly queue: string
  readonly does: 'complete' | 'hang' | 'die_before_the_queue_knows'
  readonly options: Partial<WorkerOptions>
  readonly policies?: Readonly<Record<string, JobPolicy>>
}

export interface WorkerLine {
  readonly what: 'runs' | 'aborted' | 'completed' | 'failed'
  readonly jobId: string
  readonly attempt?: number
  readonly error?: string
  readonly why?: string
}

const MAIN = path.resolve(import.meta.dirname, 'bullmq-worker-main.ts')

/** A worker of a queue in another process: see bullmq-worker-main.ts. */
export class WorkerProcess {
  readonly lines: WorkerLine[] = []
  readonly exited: Promise<unknown>
  readonly #child: ChildProcess
  readonly #listeners = new Set<() => void>()

  constructor(order: WorkerOrder) {
    this.#child = spawn(process.execPath, [MAIN, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.exited = once(this.#child, 'exit')
    if (this.#child.stdout === null) throw new Error('The process has no output.')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line))
      for (const listener of this.#listeners) listener()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The first line of its kind, as soon as there is one. */
  said(what: WorkerLine['what']): Promise<WorkerLine> {
    return new Promise((resolve) => {
      const look = () => {
        const line = this.lines.find((one) => one.what === what)
        if (line === undefined) return
        this.#listeners.delete(look)
        resolve(line)
      }
      this.#listeners.add(look)
      look()
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Ends it at once, also when it is stopped. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exited
  }
}
