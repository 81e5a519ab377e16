/** The keys that may be pressed now. */
import { Dialog } from './dialog.tsx'
import { activeShortcuts, areKeysOn, turnKeys } from './keyboard.ts'

const SHOWN: Readonly<Record<string, string>> = { Escape: 'Esc', ' ': 'Space' }

export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {activeShortcuts().map(({ key, does }) => (
          <div key={key}>
            <dt>
              <kbd>{SHOWN[key] ?? key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p>
        <label>
          <input
            type="checkbox"
            checked={areKeysOn.value}
            onChange={({ currentTarget: { checked } }) => turnKeys(checked)}
          />{' '}
          Single keys do these things
        </label>
      </p>
      <p class="muted">
        Addresses hold everything that a page shows: copy one to show somebody the same. The API is described at{' '}
        <a href="/docs">/docs</a>.
      </p>
    </Dialog>
  )
}
