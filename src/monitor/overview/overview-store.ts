/**
 * What the overview asks: each part by itself, so that one that can't be answered takes no other with it. Asked again some seconds
 * after something happened, live events were lost or rows are being made, and now and then in any case, for as long as somebody
 * looks.
 */
import { effect } from '@preact/signals'
import type { Facets, ListedOperation } from '../../authority/monitoring.ts'
import type { WireReconciler } from '../../wire/reconciler-wire.ts'
import { get, post } from '../api.ts'
import { serverNow } from '../clock.ts'
import { listen, liveState } from '../live.ts'
import { Part } from './part.ts'
import { DAYS, type Span, type WireRatePoint } from './rate-series.ts'

/** However much happens. */
const AGAIN_AFTER_MS = 2_000
/** However little happens. */
const AGAIN_IN_ANY_CASE_MS = 20_000

export interface WireHealth {
  readonly status: string
  readonly checks: {
    readonly commands: { readonly status: string; readonly message?: string }
    readonly reads: { readonly status: string; readonly message?: string }
    readonly projections: { readonly status: string; readonly all: readonly WireProjection[] }
    readonly reconciler: { readonly status: string; readonly message?: string }
  }
}

export interface WireProjection {
  readonly projection: string
  readonly status: string
  readonly message?: string
  readonly lagEvents?: number
  readonly lagMs?: number
  readonly parked: number
}

export interface Rates {
  readonly points: readonly WireRatePoint[]
  /** When it was asked, by the clock of the server. */
  readonly at: number
}

interface CountedFacets {
  readonly statuses: Facets['statuses']
  readonly freshness: Facets['freshness']
  readonly kinds: Facets['kinds']
  readonly position: string
  readonly lag?: { readonly events: number; readonly ms: number }
}

export type Mode = 'enforce' | 'observe' | 'off'

export class OverviewStore {
  readonly #over = new AbortController()
  readonly span: Span
  readonly facets = new Part((signal) => get<CountedFacets>('/v1/operations:facets', { withLag: true }, { signal }))
  readonly stalest = new Part((signal) =>
    get<{ readonly operations: readonly ListedOperation[] }>(
      '/v1/operations',
      { attention: true, sort: 'most_overdue', pageSize: 1 },
      { signal },
    ),
  )
  readonly health = new Part((signal) => get<WireHealth>('/readyz', { verbose: true }, { signal }))
  readonly reconciler = new Part((signal) => get<WireReconciler>('/v1/reconciler', {}, { signal }))
  readonly days = new Part((signal) => rates(DAYS, signal))
  readonly rates: Part<Rates>

  constructor(span: Span) {
    this.span = span
    this.rates = new Part((signal) => rates(span, signal))
  }

  /** Until the returned function is called. */
  start(): () => void {
    let soon: ReturnType<typeof setTimeout> | undefined
    const askSoon = () => {
      soon ??= setTimeout(() => {
        soon = undefined
        this.#askAll()
      }, AGAIN_AFTER_MS)
    }
    const leave = listen({ event: askSoon, resync: askSoon })
    // Whoever lost the server should see soon that it is away, and not when it would have been asked in any case.
    const leaveLive = effect(() => {
      if (liveState.value === 'reconnecting') askSoon()
    })
    // What is not as it should be is watched until it is: a server that has just begun makes its rows within seconds.
    const leaveHealth = effect(() => {
      if (this.health.state.value.answer?.checks.projections.all.every(isSettled) === false) askSoon()
    })
    const anyway = setInterval(() => {
      if (!document.hidden) this.#askAll()
    }, AGAIN_IN_ANY_CASE_MS)
    this.#askAll()
    return () => {
      leave()
      leaveLive()
      leaveHealth()
      clearInterval(anyway)
      clearTimeout(soon)
      this.#over.abort()
    }
  }

  /** On record when it returns. Throws as `post` does. */
  async setMode(kind: string, mode: Mode, reason: string): Promise<void> {
    this.reconciler.tell(await post<WireReconciler>('/v1/reconciler:set-mode', { kind, mode, reason }))
  }

  async release(kind: string, reason: string): Promise<void> {
    this.reconciler.tell(await post<WireReconciler>('/v1/reconciler:release', { kind, reason }))
  }

  #askAll(): void {
    const { facets, stalest, health, reconciler, days, rates: ofSpan } = this
    for (const part of [facets, stalest, health, reconciler, days, ofSpan]) void part.ask(this.#over.signal)
  }
}

function isSettled({ status, lagEvents = 0 }: WireProjection): boolean {
  return (status === 'following' || status === 'standby') && lagEvents === 0
}

async function rates({ ms, step, stepMs }: Span, signal: AbortSignal): Promise<Rates> {
  const at = serverNow()
  const untilAt = (Math.floor(at / stepMs) + 1) * stepMs
  const { points } = await get<Pick<Rates, 'points'>>('/v1/rates', { fromAt: untilAt - ms, untilAt, step }, { signal })
  return { points, at }
}
