/**
 * Keeps the process for as long as somebody waits for an answer. Clocks and idle logs keep none, so without it a program that
 * only waits for what another process does would end in the middle of its await.
 */

/** A timer needs some time; this one does nothing when it is over. */
const FAR_MS = 2 ** 31 - 1

export class ProcessHold {
  readonly #timer = setInterval(() => {}, FAR_MS).unref()
  #waiting = 0

  /** The same promise; until it is settled the process goes on. `seen` is called with its value before whoever awaits it. */
  during<T>(answer: Promise<T>, seen?: (value: T) => void): Promise<T> {
    if (this.#waiting++ === 0) this.#timer.ref()
    const settled = this.#settled
    const told = (value: T) => {
      settled()
      seen?.(value)
    }
    answer.then(seen === undefined ? settled : told, settled)
    return answer
  }

  readonly #settled = (): void => {
    if (--this.#waiting === 0) this.#timer.unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
