/** Copies a text. Where the browser gives no clipboard (a page without TLS), the text is shown to be copied by hand. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { announce } from '../announcer.tsx'
import { Icon, type IconName } from '../icons.tsx'

const SAID_FOR_MS = 2_000

interface Props {
  readonly text: string
  readonly name: string
  readonly icon?: IconName
}

export function CopyButton({ text, name, icon = 'copy' }: Props) {
  const isCopied = useSignal(false)
  const isByHand = useSignal(false)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = () => {
    copied(text).then((isDone) => {
      isByHand.value = !isDone
      if (!isDone) return
      isCopied.value = true
      announce(`${name}: copied`)
      clearTimeout(timer.current)
      timer.current = setTimeout(() => {
        isCopied.value = false
      }, SAID_FOR_MS)
    })
  }
  return (
    <span class="copy">
      <button type="button" class="button" data-copies={text} title={text} onClick={copy}>
        <Icon name={isCopied.value ? 'completed' : icon} />
        {isCopied.value ? 'Copied' : name}
      </button>
      {isByHand.value && (
        <textarea
          class="field copy-text"
          aria-label={`${name}, to be copied by hand`}
          readOnly
          rows={3}
          value={text}
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      )}
    </span>
  )
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
