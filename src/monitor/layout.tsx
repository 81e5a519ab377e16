/** What stands around every page: where one can go, whether it is live, and help. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { Announcer } from './announcer.tsx'
import { ConnectionIndicator } from './connection-indicator.tsx'
import { HelpDialog } from './help-dialog.tsx'
import { Icon } from './icons.tsx'
import { useShortcuts } from './keyboard.ts'
import { route } from './route.ts'
import { OpenNotice, SessionTools } from './session-tools.tsx'
import { ThemeSwitch } from './theme-switch.tsx'

const PAGES = [
  { type: 'list', href: '/', name: 'Operations' },
  { type: 'overview', href: '/overview', name: 'Overview' },
] as const

export function Layout({ children }: { readonly children: ComponentChildren }) {
  const isHelping = useSignal(false)
  const help = () => {
    isHelping.value = true
  }
  useShortcuts(useMemo(() => [{ key: '?', does: 'This list', run: help }], []))
  const { type: at, path } = route.value
  const shown = useRef(path)
  useEffect(() => {
    if (shown.current === path) return
    shown.current = path
    // Whoever reads with a screen reader or goes on by keyboard begins at the new page, and not at the link that led there.
    document.getElementById('content')?.focus({ preventScroll: true })
  }, [path])
  return (
    <>
      <a class="skip-link" href="#content">
        Skip to content
      </a>
      <header class="topbar">
        <a class="brand" href="/">
          <Brand />
          Verdict
        </a>
        {at !== 'login' && (
          <>
            <nav class="nav" aria-label="Pages">
              {PAGES.map(({ type, href, name }) => (
                <a key={type} href={href} aria-current={at === type ? 'page' : undefined}>
                  {name}
                </a>
              ))}
            </nav>
            <ConnectionIndicator />
          </>
        )}
        <span class="topbar-tools">
          <SessionTools />
          <ThemeSwitch />
          <button
            type="button"
            class="button button-icon"
            aria-label="Keyboard help"
            title="Keyboard (?)"
            onClick={help}
          >
            <Icon name="keyboard" />
          </button>
        </span>
      </header>
      <OpenNotice />
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <Announcer />
      {isHelping.value && (
        <HelpDialog
          onClose={() => {
            isHelping.value = false
          }}
        />
      )}
    </>
  )
}

function Brand() {
  return (
    <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M8 10l8 14 8-14" />
    </svg>
  )
}
