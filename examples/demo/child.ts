/** A process of the demo, as the one that starts and kills it sees it. */
import { type ChildProcess, fork } from 'node:child_process'
import path from 'node:path'
import type { FromHolder, ToHolder } from './messages.ts'

export class Child {
  readonly #process: ChildProcess
  readonly ended: Promise<NodeJS.Signals | number | null>

  constructor(program: string, args: readonly string[], listen: (message: FromHolder) => void) {
    this.#process = fork(path.join(import.meta.dirname, program), [...args])
    this.#process.on('message', (message) => listen(message as FromHolder)) // our own programs send nothing else
    this.ended = new Promise((resolve) => this.#process.once('exit', (code, signal) => resolve(signal ?? code)))
  }

  tell(message: ToHolder): void {
    this.#process.send(message)
  }

  /** SIGKILL: nothing in it is asked. Ends when it is gone, with what it died of. */
  async kill(): Promise<NodeJS.Signals | number | null> {
    this.#process.kill('SIGKILL')
    return this.ended
  }
}
