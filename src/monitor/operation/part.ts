/** A part of the page that is asked for on its own: what is known of it, and what went wrong the last time it was asked. */
import { type Signal, signal } from '@preact/signals'

export interface Part<T> {
  /** What was told last, also while a newer answer failed. */
  readonly value?: T
  readonly error?: unknown
  readonly isAsked: boolean
}

export function part<T>(): Signal<Part<T>> {
  return signal<Part<T>>({ isAsked: false })
}

/** Asks, and keeps what was known where that fails. Throws only what the signal was aborted with. */
export async function askFor<T>(into: Signal<Part<T>>, signal: AbortSignal, ask: () => Promise<T>): Promise<void> {
  try {
    const value = await ask()
    signal.throwIfAborted()
    into.value = { value, isAsked: true }
  } catch (error) {
    signal.throwIfAborted()
    const { value } = into.peek()
    into.value = { ...(value === undefined ? {} : { value }), error, isAsked: true }
  }
}
