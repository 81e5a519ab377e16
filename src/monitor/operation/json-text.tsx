/** A value that people or programs wrote: as text, folded away where it is long. */
import { Scroller } from './scroller.tsx'

const FOLDED_FROM = 160

export function JsonText({ value, label }: { readonly value: unknown; readonly label: string }) {
  const text = typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'undefined')
  if (text.length <= FOLDED_FROM) return <code class="json json-short">{text}</code>
  return (
    <details class="json-fold">
      <summary>
        {label}, {text.length.toLocaleString('en')} characters
      </summary>
      <JsonBlock text={text} label={label} />
    </details>
  )
}

/** Scrolls where it is long, with the keyboard as well. */
export function JsonBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <Scroller class="json-place" label={label}>
      <pre class="json">{text}</pre>
    </Scroller>
  )
}
