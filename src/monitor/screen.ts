/** How much room there is. */
import { signal } from '@preact/signals'

/** Tables have no room here: what would be rows are cards. */
const narrow = window.matchMedia('(max-width: 900px)')

export const isNarrow = signal(narrow.matches)

narrow.addEventListener('change', ({ matches }) => {
  isNarrow.value = matches
})
