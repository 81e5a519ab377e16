/** A part of the page with a heading; what could not be told says so in its place. */
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { toldOf } from '../error-page.tsx'
import type { Part } from './part.ts'

interface Props {
  readonly title: string
  readonly children: ComponentChildren
  readonly name?: string
}

export function Card({ title, name, children }: Props) {
  const heading = useId()
  return (
    <section class="card" aria-labelledby={heading} data-card={name}>
      <h2 id={heading}>{title}</h2>
      {children}
    </section>
  )
}

/** Shows what is known of a part; while nothing is, that it is asked for, or why it is not told. */
export function Told<T>({
  part: { value, error, isAsked },
  children,
}: {
  readonly part: Part<T>
  readonly children: (value: T) => ComponentChildren
}) {
  return (
    <>
      {error !== undefined && <NotTold error={error} />}
      {value !== undefined ? children(value) : !isAsked && <p class="muted">Asking the server …</p>}
    </>
  )
}

function NotTold({ error }: { readonly error: unknown }) {
  const { title, told } = toldOf(error)
  return (
    <p class="not-told">
      {title}: {told} What is shown may be old.
    </p>
  )
}
