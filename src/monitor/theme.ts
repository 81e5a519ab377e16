/** Light, dark, or as the system has it. Kept in this browser only. */
import { effect, signal } from '@preact/signals'

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const KEPT_AS = 'verdict.theme'

export const theme = signal<Theme>(kept())

/** What the page shows follows `theme` from now on. Called once. */
export function followTheme(): void {
  effect(() => {
    const { value } = theme
    if (value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = value
    keep(value)
  })
}

function kept(): Theme {
  try {
    const found = window.localStorage.getItem(KEPT_AS)
    return THEMES.find((one) => one === found) ?? 'system'
  } catch {
    return 'system'
  }
}

function keep(value: Theme): void {
  try {
    window.localStorage.setItem(KEPT_AS, value)
  } catch {
    // A browser that keeps nothing shows what the system says next time.
  }
}
