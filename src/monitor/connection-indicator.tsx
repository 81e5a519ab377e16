/** Whether the page follows what happens, and the button that stops it from moving. */
import { useSignalEffect } from '@preact/signals'
import { Icon, type IconName } from './icons.tsx'
import { type LiveState, liveState, pause, resume, retryNow } from './live.ts'

const LOOKS: Readonly<Record<LiveState, { readonly word: string; readonly icon: IconName; readonly title: string }>> = {
  connecting: { word: 'connecting', icon: 'late', title: 'The stream of events is being opened.' },
  live: { word: 'live', icon: 'fresh', title: 'What happens is shown as it happens.' },
  reconnecting: {
    word: 'reconnecting',
    icon: 'offline',
    title: 'The stream of events broke off. What is shown may be old; it goes on where it was when the server is back.',
  },
  paused: { word: 'paused', icon: 'pause', title: 'Nothing on this page moves by itself until you go on.' },
}

export function ConnectionIndicator() {
  const state = liveState.value
  // What may be old does not look alive anywhere on the page.
  useSignalEffect(() => {
    document.documentElement.dataset.live = liveState.value
  })
  const { word, icon, title } = LOOKS[state]
  const isPaused = state === 'paused'
  return (
    <span class="connection">
      <span class={`live live-${state}`} role="status" title={title}>
        <Icon name={icon} />
        {word}
      </span>
      {state === 'reconnecting' && (
        <button type="button" class="button" onClick={retryNow}>
          Try now
        </button>
      )}
      <button
        type="button"
        class="button button-icon"
        aria-pressed={isPaused}
        aria-label="Pause live updates"
        title={isPaused ? 'Go on' : 'Pause live updates'}
        onClick={isPaused ? resume : pause}
      >
        <Icon name={isPaused ? 'play' : 'pause'} />
      </button>
    </span>
  )
}
