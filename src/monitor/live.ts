/**
 * Live events: one stream for the whole page, however many parts of it listen.
 *
 *     connecting -> live -> reconnecting -> live ...      taken up behind the last event that was seen
 *                    |          1, 2, 4 ... 30 s
 *                    '-> paused (by a person) -> connecting
 *
 * Before each connection the server is asked where the log ends, or whether the place to go on from is still there: what an
 * EventSource can't tell (who is not known, too many streams, a place that is gone) is told by that answer. A page that nobody
 * looks at gives its connection back after a while (browsers have six for a server), and looks afresh when it is seen again.
 */
import { effect, signal, untracked } from '@preact/signals'
import type { CloudEvent } from '../authority/cloud-event.ts'
import type { WireEvents } from '../wire/event-wire.ts'
import { ApiProblem, get } from './api.ts'
import { route } from './route.ts'

export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'paused'

export interface LiveEvent extends CloudEvent {
  readonly cursor: string
}

export interface LiveListener {
  /** In the order of the log, each once. */
  event(event: LiveEvent): void
  /** Something may have been missed: look afresh. `isOtherLog`: nothing that is known from before is true of it. */
  resync(isOtherLog: boolean): void
}

/** Why there is nothing to go on behind: the server has another log than before. */
const OTHER_LOG = 'log_replaced'
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
/** How long a stream may take to open. */
const OPEN_MS = 15_000
/** After this a page that nobody looks at gives its connection back. */
const HIDDEN_MS = 60_000

export const liveState = signal<LiveState>('connecting')
/** When the next try is made, epoch ms by this machine's clock; undefined while one is on its way. */
export const nextTryAt = signal<number | undefined>(undefined)

const isPaused = signal(false)
const isAway = signal(false)
const listeners = new Set<LiveListener>()

/** Listens until the returned function is called. The stream is opened with the first listener. */
export function listen(listener: LiveListener): () => void {
  listeners.add(listener)
  begin()
  return () => {
    listeners.delete(listener)
  }
}

/** Nothing on the page moves by itself until `resume`. */
export function pause(): void {
  isPaused.value = true
}

/** Goes on from now; listeners look afresh. */
export function resume(): void {
  isPaused.value = false
}

/** Tries at once instead of when it is time. */
export function retryNow(): void {
  retry?.()
}

let hasBegun = false
let cursor: string | undefined
let failures = 0
let leave: (() => void) | undefined
let retry: (() => void) | undefined

function begin(): void {
  if (hasBegun) return
  hasBegun = true
  let hiding: ReturnType<typeof setTimeout> | undefined
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding)
    if (!document.hidden) isAway.value = false
    else
      hiding = setTimeout(() => {
        isAway.value = true
      }, HIDDEN_MS)
  })
  effect(() => {
    const isWanted = !isPaused.value && !isAway.value && route.value.type !== 'login'
    untracked(() => (isWanted ? enter() : quit()))
  })
}

function enter(): void {
  if (leave !== undefined) return
  // Whoever comes back looks afresh rather than through everything that happened meanwhile.
  const isBack = liveState.value === 'paused' || cursor !== undefined
  cursor = undefined
  failures = 0
  liveState.value = 'connecting'
  connect(isBack)
}

function quit(): void {
  leave?.()
  leave = undefined
  retry = undefined
  nextTryAt.value = undefined
  liveState.value = isPaused.value ? 'paused' : 'connecting'
}

/** One connection, from the question before it to its end. */
function connect(isAfresh: boolean): void {
  const over = new AbortController()
  let source: EventSource | undefined
  let opening: ReturnType<typeof setTimeout> | undefined
  nextTryAt.value = undefined
  retry = undefined
  const end = () => {
    over.abort()
    source?.close()
    clearTimeout(opening)
  }
  leave = end
  const again = (waitMs?: number) => {
    if (over.signal.aborted) return
    end()
    liveState.value = 'reconnecting'
    reconnectIn(waitMs ?? RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 0, isAfresh)
    failures++
  }
  standingAt(cursor, over.signal).then(
    ({ nextAfter, isResync, isOtherLog }) => {
      if (over.signal.aborted) return
      const missed = isAfresh || isResync
      if (cursor === undefined || isResync) cursor = nextAfter
      const opened = new EventSource(`/v1/events?${new URLSearchParams({ after: cursor })}`)
      source = opened
      opening = setTimeout(again, OPEN_MS)
      opened.addEventListener('open', () => {
        clearTimeout(opening)
        failures = 0
        isAfresh = false
        liveState.value = 'live'
        if (missed) tell((listener) => listener.resync(isOtherLog))
      })
      opened.addEventListener('message', ({ data }: MessageEvent<string>) => {
        const event = JSON.parse(data) as LiveEvent // as the API describes it
        cursor = event.cursor
        tell((listener) => listener.event(event))
      })
      opened.addEventListener('resync', ({ data }: MessageEvent<string>) => {
        const told = JSON.parse(data) as { readonly cursor: string; readonly reason: string } // as the API describes it
        cursor = told.cursor
        tell((listener) => listener.resync(told.reason === OTHER_LOG))
      })
      // The server ends, or was faster than this page: it goes on behind the last event.
      opened.addEventListener('closing', () => again())
      opened.addEventListener('slow', () => again(0))
      opened.addEventListener('error', () => again())
    },
    (error: unknown) => again(error instanceof ApiProblem ? error.retryAfterMs : undefined),
  )
}

function reconnectIn(waitMs: number, isAfresh: boolean): void {
  const timer = setTimeout(() => connect(isAfresh), waitMs)
  nextTryAt.value = Date.now() + waitMs
  leave = () => clearTimeout(timer)
  retry = () => {
    clearTimeout(timer)
    connect(isAfresh)
  }
}

/** Where to go on; from the end of the log where no place is known, or where it is gone. */
async function standingAt(after: string | undefined, signal: AbortSignal) {
  const page = await get<WireEvents>('/v1/events', { after: after ?? 'now', limit: 1 }, { signal })
  return { nextAfter: page.nextAfter, isResync: page.type === 'resync', isOtherLog: page.reason === OTHER_LOG }
}

function tell(what: (listener: LiveListener) => void): void {
  for (const listener of [...listeners]) what(listener)
}
