/** Ends that are told in one place and waited for in another, whichever comes first. */
export class Endings {
  readonly #waiting = new Map<string, () => void>()
  readonly #told = new Set<string>()

  tell(id: string): void {
    const resolve = this.#waiting.get(id)
    if (resolve === undefined) {
      this.#told.add(id)
      return
    }
    this.#waiting.delete(id)
    resolve()
  }

  /** For one caller for each id. */
  of(id: string): Promise<void> {
    if (this.#told.delete(id)) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }
}
