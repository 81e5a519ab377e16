/** Iterations that wait for what comes: left at any time, also while they wait. */

/** What `read` gives, until it ends, its signal aborts or it is left; `read` ends when its own signal aborts. */
export function leftAtAnyTime<T>(
  read: (signal: AbortSignal) => AsyncGenerator<T, void, void>,
  given: AbortSignal | undefined,
): AsyncIterableIterator<T, void, void> {
  const left = new AbortController()
  const items = read(given === undefined ? left.signal : AbortSignal.any([left.signal, given]))
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () => items.next(),
    // A generator that waits does not hear its own return(): the wait must end first.
    return: () => {
      left.abort()
      return items.return()
    },
  }
}
