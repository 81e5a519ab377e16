/**
 * One question of a page, asked again as things change. What was answered stays until something newer is; that the newest try
 * failed is told beside it. Never two tries at once: what is asked meanwhile is asked once more behind it.
 */
import { type ReadonlySignal, signal } from '@preact/signals'

export interface PartState<T> {
  /** The newest that is known; undefined before the first one. */
  readonly answer?: T
  /** Of the newest try. */
  readonly error?: unknown
}

export class Part<T> {
  readonly #question: (signal: AbortSignal) => Promise<T>
  readonly #state = signal<PartState<T>>({})
  #isAsking = false
  #isWantedAgain = false

  constructor(question: (signal: AbortSignal) => Promise<T>) {
    this.#question = question
  }

  get state(): ReadonlySignal<PartState<T>> {
    return this.#state
  }

  /** What somebody did already tells the newest. */
  tell(answer: T): void {
    this.#state.value = { answer }
  }

  async ask(over: AbortSignal): Promise<void> {
    if (this.#isAsking) {
      this.#isWantedAgain = true
      return
    }
    this.#isAsking = true
    try {
      do {
        this.#isWantedAgain = false
        await this.#askOnce(over)
      } while (this.#isWantedAgain && !over.aborted)
    } finally {
      this.#isAsking = false
    }
  }

  async #askOnce(over: AbortSignal): Promise<void> {
    try {
      const answer = await this.#question(over)
      if (!over.aborted) this.#state.value = { answer }
    } catch (error) {
      if (!over.aborted) this.#state.value = { ...this.#state.peek(), error }
    }
  }
}
