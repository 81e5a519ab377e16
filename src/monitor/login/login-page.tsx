/** A key for a session; afterwards one is back where one was. */
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { ApiProblem } from '../api.ts'
import { FailedPage, toldOf } from '../error-page.tsx'
import { navigate } from '../route.ts'
import { askSession, session, signIn } from '../session.ts'
import './login.css'

export function LoginPage({ query }: { readonly query: URLSearchParams }) {
  const next = placeWithin(query.get('next'))
  const failure = useSignal<unknown>(undefined)
  const isAsked = useSignal(false)
  // Who was signed in a moment ago, and was led here, is not any more.
  const wasSignedIn = useRef(session.peek()?.authenticated === true && query.has('next')).current
  const ask = () => {
    failure.value = undefined
    askSession().then(
      () => {
        isAsked.value = true
      },
      (error: unknown) => {
        failure.value = error
      },
    )
  }
  useEffect(ask, [])
  if (failure.value !== undefined) return <FailedPage error={failure.value} onRetry={ask} />
  if (!isAsked.value) return <section class="login" aria-busy="true" />
  const { isOpen = false, authenticated = false, principal } = session.value ?? {}
  if (isOpen) return <Open isAsked={authenticated} next={next} />
  if (authenticated) {
    return (
      <section class="login">
        <h1>You are signed in as {principal}</h1>
        <a class="button button-primary" href={next}>
          Go on
        </a>
      </section>
    )
  }
  return <KeyForm next={next} isOver={wasSignedIn} />
}

function Open({ isAsked, next }: { readonly isAsked: boolean; readonly next: string }) {
  return (
    <section class="login">
      <h1>{isAsked ? 'Nobody has to sign in here' : 'This server answers its own machine only'}</h1>
      <p>
        {isAsked
          ? 'The server has no keys and listens to its own machine only: everybody on it may do everything.'
          : 'It has no keys, and this page was asked for by a name or from a place that is not this machine. Go to it as localhost, or give it keys.'}
      </p>
      {isAsked && (
        <a class="button button-primary" href={next}>
          Go on
        </a>
      )}
    </section>
  )
}

function KeyForm({ next, isOver }: { readonly next: string; readonly isOver: boolean }) {
  const told = useSignal<string | undefined>(undefined)
  const isSending = useSignal(false)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  const send = async (event: SubmitEvent) => {
    event.preventDefault()
    const apiKey = field.current?.value.trim() ?? ''
    told.value = undefined
    if (apiKey === '') {
      told.value = 'Enter a key.'
      return field.current?.focus()
    }
    isSending.value = true
    try {
      await signIn(apiKey)
      navigate(next, { replace: true })
    } catch (error) {
      told.value = wordsOf(error)
      isSending.value = false
      field.current?.select()
    }
  }
  return (
    <section class="login">
      <h1>Sign in</h1>
      {isOver && <p role="status">Your session is over: its key was revoked, or nobody used it for a while.</p>}
      <form onSubmit={send} noValidate>
        <label for="api-key">API key</label>
        <input
          ref={field}
          id="api-key"
          class="field mono"
          type="password"
          autoComplete="current-password"
          spellcheck={false}
          aria-invalid={told.value !== undefined}
          aria-describedby="api-key-told api-key-help"
        />
        <p id="api-key-told" class="login-told" role="alert">
          {told.value}
        </p>
        <button type="submit" class="button button-primary" disabled={isSending.value}>
          {isSending.value ? 'Signing in' : 'Sign in'}
        </button>
      </form>
      <p id="api-key-help" class="muted">
        Whoever runs this server makes a key with <code>verdict keys add NAME --role viewer</code>. It is not kept in
        this browser.
      </p>
    </section>
  )
}

function wordsOf(error: unknown): string {
  if (error instanceof ApiProblem) {
    if (error.code === 'unauthenticated') return 'This key is not good here, or not any more.'
    if (error.code === 'invalid_command') return 'This is not a key.'
    if (error.code === 'rate_limited') return 'Too many tries from this address. Wait a minute, then try again.'
  }
  const { title, told } = toldOf(error)
  return `${title}. ${told}`
}

/** Of this page, and no other site: the address of this page may have been written by anybody. */
function placeWithin(next: string | null): string {
  const { origin } = window.location
  const url = next?.startsWith('/') && URL.canParse(next, origin) ? new URL(next, origin) : undefined
  return url?.origin !== origin || url.pathname === '/login' ? '/' : `${url.pathname}${url.search}`
}
