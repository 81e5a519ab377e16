/** A modal dialog: the browser keeps the focus within it, gives it back afterwards, and closes it on Escape. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Icon } from './icons.tsx'

interface Props {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** Open for as long as it is there. */
export function Dialog({ title, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const isOver = useRef(false)
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => {
      isOver.current = true
      dialog?.close()
    }
  }, [])
  // The browser tells of the end a while after it: by then the same dialog may have been asked for again.
  const end = () => {
    if (isOver.current) return
    isOver.current = true
    // While it stands there, so that the focus goes back to where it was.
    element.current?.close()
    onClose()
  }
  return (
    <dialog ref={element} class="dialog" aria-labelledby={heading} onCancel={end} onClose={end}>
      <header class="dialog-head">
        <h2 id={heading}>{title}</h2>
        <button type="button" class="button button-icon" aria-label="Close" onClick={end}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  )
}
