import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

const MAIN = path.resolve(import.meta.dirname, '../../../src/cli/main.ts')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
}

export interface CommandLineOptions {
  readonly input?: string
  /** Its standard input is left to whoever holds it. */
  readonly keepsInputOpen?: boolean
  /** On top of the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** The real program as a child process, with what it prints. */
export class CommandLine {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly #stdout: Buffer[] = []
  readonly #listeners = new Set<() => void>()
  #stderr = ''

  constructor(args: readonly string[], { input = '', keepsInputOpen = false, env = {}, cwd }: CommandLineOptions = {}) {
    this.child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env }, cwd })
    if (!keepsInputOpen) this.child.stdin?.end(input)
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#stdout.push(chunk)
      for (const listener of this.#listeners) listener()
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      code,
      signal,
      stdout: Buffer.concat(this.#stdout),
      stderr: this.#stderr,
    }))
  }

  /** Ends when so much was printed on standard output. */
  printed(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!Buffer.concat(this.#stdout).includes(text)) return
        this.#listeners.delete(look)
        resolve()
      }
      this.#listeners.add(look)
      look()
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }
}

export function verdict(...args: readonly string[]): Promise<Ended> {
  return new CommandLine(args).ended
}
