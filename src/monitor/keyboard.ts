/**
 * Keys. A page says which it takes for as long as it is shown, with a word on what they do; the help dialog lists just those.
 * What is typed into a field belongs to the field, Escape excepted. Whoever dictates or is hindered by single keys turns them off
 * (WCAG 2.1.4).
 */
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { keep, kept } from './kept.ts'

export interface Shortcut {
  /** As `KeyboardEvent.key` names it. */
  readonly key: string
  readonly does: string
  readonly run: (event: KeyboardEvent) => void
}

const KEPT_AS = 'verdict.keys'

/** Whether single keys do anything; kept in this browser. */
export const areKeysOn = signal(kept(KEPT_AS) !== 'off')

export function turnKeys(isOn: boolean): void {
  areKeysOn.value = isOn
  keep(KEPT_AS, isOn ? 'on' : 'off')
}

const taken = signal<readonly (readonly Shortcut[])[]>([])

/** What may be pressed now, the page's before everybody's. */
export function activeShortcuts(): readonly Shortcut[] {
  return taken.value.toReversed().flat()
}

/** The keys are taken while the component is shown. Give the same array as long as they mean the same. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  useEffect(() => {
    taken.value = [...taken.peek(), shortcuts]
    return () => {
      taken.value = taken.peek().filter((one) => one !== shortcuts)
    }
  }, [shortcuts])
}

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
  if (!areKeysOn.peek() && event.key.length === 1) return
  // A dialog has the keyboard to itself.
  if (document.querySelector('dialog[open]') !== null) return
  if (isTyping(event.target) && event.key !== 'Escape') return
  // Enter and space on what can be pressed press it.
  if (event.key === 'Enter' && event.target instanceof Element && event.target.closest('a, button, summary, select'))
    return
  const shortcut = activeShortcuts().find(({ key }) => key === event.key)
  if (shortcut === undefined) return
  event.preventDefault()
  shortcut.run(event)
})

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || target.matches('textarea, select, input:not([type="checkbox"], [type="radio"])')
}
