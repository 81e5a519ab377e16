/** Who is signed in, and the way out; on a server that is open, that it is. */
import { useSignal } from '@preact/signals'
import { announce } from './announcer.tsx'
import { Icon } from './icons.tsx'
import { navigate, route } from './route.ts'
import { session, signOut } from './session.ts'

const KEPT_AS = 'verdict.open-notice'

export function SessionTools() {
  const isLeaving = useSignal(false)
  const { authenticated = false, isOpen = false, principal = '' } = session.value ?? {}
  if (!authenticated || isOpen || route.value.type === 'login') return null
  const leave = async () => {
    isLeaving.value = true
    try {
      await signOut()
      navigate('/login')
    } catch {
      announce('The server does not answer; you are still signed in.')
    } finally {
      isLeaving.value = false
    }
  }
  return (
    <>
      <span class="signed-in" title="Signed in">
        <Icon name="user" /> {principal}
      </span>
      <button type="button" class="button" disabled={isLeaving.value} onClick={leave}>
        Sign out
      </button>
    </>
  )
}

/** Until somebody has read it, in this browser. */
export function OpenNotice() {
  const isRead = useSignal(wasRead())
  if (session.value?.isOpen !== true || !session.value.authenticated || isRead.value) return null
  const read = () => {
    isRead.value = true
    keepRead()
  }
  return (
    <p class="notice">
      <span>
        This server is open to its own machine: everybody on it may do everything. Keys close it:{' '}
        <code>verdict keys add</code>, then <code>verdict serve --keys</code>.
      </span>
      <button type="button" class="button" onClick={read}>
        Understood
      </button>
    </p>
  )
}

function wasRead(): boolean {
  try {
    return window.localStorage.getItem(KEPT_AS) === 'read'
  } catch {
    return false
  }
}

function keepRead(): void {
  try {
    window.localStorage.setItem(KEPT_AS, 'read')
  } catch {
    // A browser that keeps nothing says it again next time.
  }
}
