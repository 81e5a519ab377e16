/** An order to the reconciler: what it means, why it is given, and whether it is. It stands in the log with who gave it. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { announce } from '../announcer.tsx'
import { Dialog } from '../dialog.tsx'
import { toldOf } from '../error-page.tsx'

export interface Order {
  readonly title: string
  /** What follows from it. */
  readonly meaning: string
  readonly confirm: string
  readonly isDangerous: boolean
  /** Throws what it was refused with. */
  readonly give: (reason: string) => Promise<void>
  readonly done: string
}

const REASON_LENGTH_MAX = 1_024

export function OrderDialog({ order, onClose }: { readonly order: Order; readonly onClose: () => void }) {
  const { title, meaning, confirm, isDangerous, give, done } = order
  const told = useSignal<string | undefined>(undefined)
  const isSending = useSignal(false)
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => field.current?.focus(), [])
  const send = async (event: SubmitEvent) => {
    event.preventDefault()
    const reason = field.current?.value.trim() ?? ''
    if (reason === '') {
      told.value = 'Say why: it stands in the record for whoever asks later.'
      return field.current?.focus()
    }
    isSending.value = true
    told.value = undefined
    try {
      await give(reason)
      announce(done)
      onClose()
    } catch (error) {
      const { title: what, told: why } = toldOf(error)
      told.value = `${what}. ${why}`
      isSending.value = false
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{meaning}</p>
      <form class="order" onSubmit={send} noValidate>
        <label for="order-reason">Reason</label>
        <textarea
          ref={field}
          id="order-reason"
          class="field"
          rows={3}
          maxLength={REASON_LENGTH_MAX}
          aria-invalid={told.value !== undefined}
          aria-describedby="order-told"
        />
        <p id="order-told" class="order-told" role="alert">
          {told.value}
        </p>
        <p class="order-buttons">
          <button
            type="submit"
            class={`button ${isDangerous ? 'button-danger' : 'button-primary'}`}
            disabled={isSending.value}
          >
            {confirm}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
        </p>
      </form>
    </Dialog>
  )
}
