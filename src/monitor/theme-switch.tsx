/** As the system, light, dark, and round again. */
import { Icon, type IconName } from './icons.tsx'
import { THEMES, type Theme, theme } from './theme.ts'

const ICONS: Readonly<Record<Theme, IconName>> = { system: 'system', light: 'sun', dark: 'moon' }

export function ThemeSwitch() {
  const at = theme.value
  const next = THEMES[(THEMES.indexOf(at) + 1) % THEMES.length] ?? 'system'
  return (
    <button
      type="button"
      class="button button-icon"
      aria-label={`Colours: ${at}. Change to ${next}`}
      title={`Colours: ${at}`}
      onClick={() => {
        theme.value = next
      }}
    >
      <Icon name={ICONS[at]} />
    </button>
  )
}
