/** A part of a page as it stands: not answered yet, answered, refused; what is old stays, and says that it is. */
import type { ComponentChildren } from 'preact'
import { toldOf } from '../error-page.tsx'
import type { PartState } from './part.ts'

interface Props<T> {
  readonly title: string
  readonly state: PartState<T>
  readonly children: (answer: T) => ComponentChildren
}

export function PartView<T>({ title, state: { answer, error }, children }: Props<T>) {
  const told = error === undefined ? undefined : toldOf(error)
  return (
    <section class="panel" aria-label={title} aria-busy={answer === undefined && told === undefined}>
      <h2>{title}</h2>
      {told && (
        <p class="panel-told" role="status">
          {answer === undefined ? '' : 'What is shown is older. '}
          {told.told} {told.whatToDo}
        </p>
      )}
      {answer !== undefined && children(answer)}
    </section>
  )
}
