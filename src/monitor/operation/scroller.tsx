/** What is wider or higher than its place: scrolled by hand, and by the keyboard. */
import type { ComponentChildren } from 'preact'

interface Props {
  readonly label: string
  readonly class: string
  readonly children: ComponentChildren
}

export function Scroller({ label, class: look, children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard (WCAG 2.1.1)
    <section class={look} aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
