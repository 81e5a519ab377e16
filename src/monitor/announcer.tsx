/** What a screen reader is told without looking for it: short, polite, the newest only. */
import { signal } from '@preact/signals'

const said = signal('')

export function announce(text: string): void {
  said.value = text
}

/** Stands on the page once. */
export function Announcer() {
  return (
    <div class="visually-hidden" role="status" aria-live="polite">
      {said.value}
    </div>
  )
}
