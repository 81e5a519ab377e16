/** What went wrong, in words, and what to do now. */
import { ApiProblem, Unreachable } from './api.ts'

interface Props {
  readonly title: string
  readonly told: string
  readonly whatToDo: string
  readonly onRetry?: (() => void) | undefined
  readonly retry?: string
  /** Names the request in the log of the server. */
  readonly instance?: string | undefined
}

export function ErrorPage({ title, told, whatToDo, onRetry, retry = 'Try again', instance }: Props) {
  return (
    <section class="error-page" role="alert">
      <h1>{title}</h1>
      <p class="error-told">{told}</p>
      <p>{whatToDo}</p>
      <p class="error-actions">
        {onRetry && (
          <button type="button" class="button button-primary" onClick={onRetry}>
            {retry}
          </button>
        )}
        <a class="button" href="/">
          List of operations
        </a>
      </p>
      {instance && (
        <p class="muted">
          Request <code>{instance}</code> in the log of the server.
        </p>
      )}
    </section>
  )
}

/** Whatever a question ended with. */
export function FailedPage({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const { title, told, whatToDo } = toldOf(error)
  const instance = error instanceof ApiProblem ? error.problem.instance : undefined
  return <ErrorPage title={title} told={told} whatToDo={whatToDo} onRetry={onRetry} instance={instance} />
}

export interface Told {
  readonly title: string
  readonly told: string
  readonly whatToDo: string
}

/** An error for people: what it is, what the server said, what they may do. */
export function toldOf(error: unknown): Told {
  if (error instanceof Unreachable) {
    return {
      title: 'The server can not be reached',
      told: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`,
      whatToDo:
        'This page goes on by itself when it is back. If it stays away: look whether “verdict serve” runs, and at its log.',
    }
  }
  if (error instanceof ApiProblem) {
    const { title, detail, code } = error.problem
    return { title, told: sentence(detail), whatToDo: WHAT_TO_DO[code] ?? OTHERWISE }
  }
  const told = error instanceof Error ? error.message : String(error)
  return { title: 'Something failed', told: sentence(told), whatToDo: OTHERWISE }
}

const OTHERWISE = 'Try again. If it stays, look into the log of the server.'

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  unauthenticated: 'Sign in with a key that is good here; “verdict keys add” makes one.',
  forbidden:
    'Your role does not allow it. Somebody who administers this server may give you another: “verdict keys add --role”.',
  not_found:
    'It may have been deleted, belong to a workspace that you may not read, or be written otherwise. Look for it in the list.',
  invalid_command:
    'The address of this page asks for something that the server does not know. Clear the filters, or correct the address.',
  bad_page_token: 'Pages belong to one filter, sort and log. Begin with the first page again.',
  not_served: 'The read models are being built. This page goes on by itself when they are there.',
  reads_unavailable:
    'Lists can not be asked for now; commands and workers go on. Look at /readyz?verbose, and into the log of the server.',
  read_model_behind: 'The read models are catching up with the log. Try again in a moment.',
  rate_limited: 'Too many requests were sent under your name. Wait a moment.',
  too_many_streams: 'Other pages take all places for live events. Close some, or raise httpStreamsMax.',
  shutting_down: 'The server is ending. This page goes on by itself when it is back.',
}

function sentence(text: string): string {
  const trimmed = text.trim()
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`
}
