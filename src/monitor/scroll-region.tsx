import type { ComponentChildren } from 'preact'

interface Props {
  readonly label: string
  readonly class?: string
  readonly children: ComponentChildren
}

/** What may be wider or higher than its place, and is reached and scrolled by the keyboard. */
export function ScrollRegion({ label, class: extra = 'scroll-region', children }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section class={extra} aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
