/** Light, dark, or as the system has it. Kept in this browser only. */
import { effect, signal } from '@preact/signals'
import { keep, kept } from './kept.ts'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const KEPT_AS = 'verdict.theme'

export const theme = signal<Theme>(THEMES.find((one) => one === kept(KEPT_AS)) ?? 'system')

/** What the page shows follows `theme` from now on. Called once. */
export function followTheme(): void {
  effect(() => {
    const { value } = theme
    if (value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = value
    keep(KEPT_AS, value)
  })
}
