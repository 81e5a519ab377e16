/** What operators and auditors ask of a server as a whole: its reconciler, and what is on record of operators and keys. */
import type { WireAdminEvents } from '../wire/admin-wire.ts'
import { headerOfText } from '../wire/header-text.ts'
import type { RunRequest, WirePassReport, WireReconciler } from '../wire/reconciler-wire.ts'
import { bodyOf, type Questions } from './http-questions.ts'

/** Enforce: act. Observe: judge and count, change nothing. Off: look away. */
export type ReconcilerMode = 'enforce' | 'observe' | 'off'

/** Whom a pass is about, and how far it goes; what is not named is not restricted. */
export type PassScope = RunRequest

/** Stands on record with who holds the key. */
export interface Order {
  readonly reason: string
  /** For whom he says he acts. */
  readonly onBehalfOf?: string
  /** The same order under the same id is given once. Minted where none is given. */
  readonly commandId?: string
}

/** An event of the log's own record, with its place in the chain. */
export interface AdminEvent {
  readonly revision: number
  readonly position: bigint
  /** SHA-256 in hex over the hash of the event before it and its own body. */
  readonly hash: string
  readonly type: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly content: Readonly<Record<string, unknown>>
  readonly metadata: WireAdminEvents['events'][number]['metadata']
}

export interface AdminPage {
  readonly events: readonly AdminEvent[]
  readonly nextAfter: number
  readonly isCaughtUp: boolean
}

/** Each throws OperationRejected, ChannelClosed, the signal's reason. */
export interface OperatorsDoor {
  readonly standing: (signal?: AbortSignal) => Promise<WireReconciler>
  readonly changeMode: (kind: string, mode: ReconcilerMode, order: Order) => Promise<WireReconciler>
  readonly release: (kind: string, order: Order) => Promise<WireReconciler>
  readonly run: (scope: PassScope, signal?: AbortSignal) => Promise<WirePassReport>
  /** Behind a revision of the record; -1 for its beginning. */
  readonly adminEvents: (after: number, signal?: AbortSignal) => Promise<AdminPage>
  /** The same, as soon as there is something. */
  readonly nextAdminEvents: (after: number, signal: AbortSignal) => Promise<AdminPage>
}

/** A pass over many takes longer than other answers. */
const PASS_SECONDS_MAX = 60
const PAGE_EVENTS = 500

export function httpOperators(questions: Questions, newId: () => string): OperatorsDoor {
  return {
    standing: async (signal) => standingOf(await questions.ask({ method: 'GET', path: '/v1/reconciler' }, signal)),
    changeMode: async (kind, mode, order) => ordered('set-mode', { kind, mode }, order),
    release: async (kind, order) => ordered('release', { kind }, order),
    async run(scope, signal) {
      const asked = { method: 'POST', path: '/v1/reconciler:run', body: scope, waitSeconds: PASS_SECONDS_MAX } as const
      return bodyOf(await questions.ask(asked, signal)) as WirePassReport // as it is described
    },
    adminEvents: async (after, signal) => pageOf(await questions.ask(pageRequest(after), signal)),
    async nextAdminEvents(after, signal) {
      const isWanted = (body: unknown) => (body as WireAdminEvents).events.length > 0
      return pageOf(await questions.waitFor(() => pageRequest(after), isWanted, signal))
    },
  }

  /** Under an id, so that it may be sent again. */
  async function ordered(
    verb: string,
    what: object,
    { commandId = newId(), ...order }: Order,
  ): Promise<WireReconciler> {
    const path = `/v1/reconciler:${verb}`
    const headers = { 'idempotency-key': headerOfText(commandId) }
    return standingOf(await questions.ask({ method: 'POST', path, body: { ...order, ...what }, headers }))
  }
}

function pageRequest(after: number) {
  const query = { limit: PAGE_EVENTS, ...(after < 0 ? {} : { after }) }
  return { method: 'GET', path: '/v1/admin/events', query } as const
}

type Told = Parameters<typeof bodyOf>[0]

function standingOf(told: Told): WireReconciler {
  return bodyOf(told) as WireReconciler // as it is described
}

function pageOf(told: Told): AdminPage {
  const { events, nextAfter, isCaughtUp } = bodyOf(told) as WireAdminEvents // as it is described
  return {
    events: events.map((event) => ({ ...event, position: BigInt(event.position) })),
    nextAfter,
    isCaughtUp,
  }
}
