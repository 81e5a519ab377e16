/** The runner's side of a peer: its process, and all that it starts, in a folder that is gone with it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Peer } from './peer.ts'
import type { Figures, PeerMessage, Question } from './peer-main.ts'

const MAIN = path.resolve(import.meta.dirname, 'peer-main.ts')
const STOPPED_WITHIN_MS = 30_000
/** Beyond what it measures; to be up, too. */
const ANSWERED_WITHIN_MS = 120_000

export class PeerProcess {
  readonly #name: string
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(name: string) {
    this.#name = name
    this.#folder = mkdtempSync(path.join(tmpdir(), 'peers-'))
    // PostgreSQL has a user of its own, who must come through to its folder.
    chmodSync(this.#folder, 0o755)
    // A process group of its own, so that nothing that a peer starts outlives it.
    const env = { ...process.env, TMPDIR: this.#folder }
    this.#child = fork(MAIN, [name], {
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // What peers use of their own libraries that is going away is no business of the bench.
      execArgv: [...process.execArgv, '--no-deprecation'],
    })
    this.#exited = once(this.#child, 'exit')
  }

  /** Runs `use` with a peer that is up, and ends it. */
  static async whileUp<T>(name: string, use: (peer: PeerProcess, facts: PeerFacts) => Promise<T>): Promise<T> {
    const peer = new PeerProcess(name)
    try {
      const result = await use(peer, (await peer.#told(ANSWERED_WITHIN_MS)) as PeerFacts)
      await peer.#end()
      return result
    } finally {
      peer.#clear()
    }
  }

  async ask(question: Question): Promise<Figures> {
    const told = this.#told(2 * question.seconds * 1_000 + ANSWERED_WITHIN_MS)
    this.#child.send(question)
    return (await told) as Figures
  }

  /** One message for each question, in order, and one before them. */
  async #told(withinMs: number): Promise<PeerMessage> {
    const left = new AbortController()
    const signal = AbortSignal.any([left.signal, AbortSignal.timeout(withinMs)])
    try {
      const ended = this.#exited.then(() => {
        throw new Error(`the process of ${this.#name} ended before it answered; see above`)
      })
      const [message] = (await Promise.race([once(this.#child, 'message', { signal }), ended])) as [PeerMessage]
      return message
    } finally {
      left.abort()
    }
  }

  async #end(): Promise<void> {
    const late = setTimeout(() => this.#kill(), STOPPED_WITHIN_MS)
    this.#child.disconnect()
    await this.#exited
    clearTimeout(late)
  }

  /** Whatever is left of it. */
  #clear(): void {
    this.#kill()
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10 })
  }

  #kill(): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      // ESRCH: nothing is left, as it should be.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

export type PeerFacts = Pick<Peer, 'versions' | 'settings'>
