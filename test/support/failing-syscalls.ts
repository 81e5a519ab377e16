import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * Makes system calls of a running process fail below everything it runs, with strace: `inject` as in strace's own
 * notation, for instance `fdatasync,fsync:error=EIO:when=1`.
 */
export class FailingSyscalls {
  readonly #strace: ChildProcess

  private constructor(strace: ChildProcess) {
    this.#strace = strace
  }

  /** Resolves when every thread of the process is held. */
  static async in(pid: number, ...inject: string[]): Promise<FailingSyscalls> {
    const calls = inject.map((one) => one.slice(0, one.indexOf(':'))).join(',')
    const strace = spawn(
      'strace',
      ['-f', '-p', String(pid), '-e', `trace=${calls}`, ...inject.flatMap((one) => ['-e', `inject=${one}`])],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    if (strace.stderr === null) throw new Error('strace has no output.')
    const lines = createInterface({ input: strace.stderr })
    for await (const line of lines) {
      if (!/^strace: Process \d+ attached/.test(line)) throw new Error(`strace could not attach: ${line}`)
      break
    }
    strace.stderr.resume()
    return new FailingSyscalls(strace)
  }

  /** Resolves when the process runs undisturbed again, or is gone. Twice is once. */
  async stop(): Promise<void> {
    if (this.#strace.exitCode !== null || this.#strace.signalCode !== null) return
    const exited = once(this.#strace, 'exit')
    this.#strace.kill('SIGINT')
    await exited
  }
}
