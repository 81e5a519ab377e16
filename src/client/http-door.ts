/** A server as a door: what embedding asks of the shell is asked of it over HTTP, with the same answers and refusals. */

import { sequenceFault } from '../authority/asked-question.ts'
import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import { jsonFaultRejection, unknownCommand } from '../authority/command-faults.ts'
import { copyJson, type JsonValue } from '../authority/json-value.ts'
import type {
  CompletionPage,
  CompletionsRequest,
  EventsRequest,
  HistoryEntry,
  LiveEvent,
  OperationSnapshot,
  Refusable,
  RegistryAddress,
  RegistryOverview,
  WaitAnswer,
  WaitRequest,
} from '../authority/questions.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { resultFromWire, type WireAnswer } from '../wire/command-wire.ts'
import type { WireEvents } from '../wire/event-wire.ts'
import { headerOfText } from '../wire/header-text.ts'
import type { WireHistory } from '../wire/operation-wire.ts'
import { rest } from './back-off.ts'
import type { EventsAnswer, LeaseCause, SendOptions, VerdictDoor } from './door.ts'
import { CommandQueue } from './http-commands.ts'
import { httpMonitoring } from './http-monitoring.ts'
import { httpOperators, type OperatorsDoor } from './http-operators.ts'
import { Outcomes } from './http-outcomes.ts'
import { bodyOf, Questions, type Told } from './http-questions.ts'
import { isReport, Reports } from './http-reports.ts'
import { HttpTransport, pathOf, type TransportOptions } from './http-transport.ts'
import type { MonitoringDoor } from './monitoring-door.ts'
import { OperationRejected } from './operation-errors.ts'
import type { ReportSpool } from './report-spool.ts'

export interface HttpDoorParts extends TransportOptions {
  readonly url: string | URL
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  readonly log: WarningLog
  readonly spool?: ReportSpool
  /** New work is refused when it could not be registered within this. */
  readonly startWithinMs: number
  /** Everything else but waits and last words. */
  readonly answerWithinMs: number
}

/** Leases that are watched by a request of their own; what more there are learn their fate by their heartbeats. */
const LEASES_WATCHED_MAX = 64
const CLOSE_GRACE_MS = 5_000
const JSON_BOUNDS = { depthMax: 512, valuesMax: 1_000_000 }

export class HttpDoor implements VerdictDoor {
  readonly monitoring: MonitoringDoor
  readonly operators: OperatorsDoor
  readonly #parts: HttpDoorParts
  readonly #closed = new AbortController()
  readonly #queue: CommandQueue
  readonly #questions: Questions
  readonly #outcomes: Outcomes
  readonly #reports: Reports
  #leasesWatched = 0
  #closing: Promise<void> | undefined

  constructor(parts: HttpDoorParts) {
    const { clock, random, log, answerWithinMs, silenceMsMax, spool } = parts
    const transport = new HttpTransport(parts.url, parts)
    const closed = this.#closed.signal
    this.#parts = parts
    this.#queue = new CommandQueue({ transport, clock, random, log, closed })
    this.#questions = new Questions({ transport, clock, random, answerWithinMs, closed })
    this.#outcomes = new Outcomes({ transport, clock, random, silenceMsMax, closed })
    this.monitoring = httpMonitoring(this.#questions)
    this.operators = httpOperators(this.#questions, parts.newId)
    this.#reports = new Reports({
      send: (one) => this.#queue.send(one),
      log,
      ...(spool === undefined ? {} : { spool }),
    })
    void this.#reports.deliverKept()
  }

  /** Who acts is who holds the key, so `actor` is not sent. */
  async send(
    registry: RegistryAddress,
    command: Readonly<Record<string, unknown>>,
    options: SendOptions = {},
  ): Promise<CommandResult> {
    const { commandId = this.#parts.newId(), correlationId, causationId, traceparent, onBehalfOf } = options
    const copied = copyJson(command, JSON_BOUNDS)
    if ('fault' in copied) return refusedHere(jsonFaultRejection(copied.fault))
    const { value } = copied
    // Which commands there are, the server knows; what is none at all would spoil those that travel with it.
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return refusedHere(unknownCommand(value))
    const sent = value as { readonly [name: string]: JsonValue } // no list, by the line above
    const sender = { commandId, correlationId, causationId, traceparent, onBehalfOf }
    const entry = { workspace: registry.workspace, owner: registry.owner, ...sender, command: sent }
    try {
      if (isReport(sent)) return await this.#reports.deliver(registry, entry)
      const withinMs = sent.type === 'RegisterOperation' ? this.#parts.startWithinMs : this.#parts.answerWithinMs
      return await this.#queue.send({ registry, entry, giveUpAt: this.#parts.clock.monotonicNow() + withinMs })
    } catch (error) {
      if (!(error instanceof OperationRejected)) throw error
      return refusedHere(rejectionOf(error))
    }
  }

  async snapshot(registry: RegistryAddress, id: string): Promise<OperationSnapshot | undefined> {
    const asked = { method: 'GET', path: operationPath(registry, id), query: { held: true } } as const
    const told = await this.#questions.ask(asked)
    return isNotFound(told) ? undefined : (bodyOf(told) as OperationSnapshot)
  }

  async overview(registry: RegistryAddress): Promise<RegistryOverview> {
    return bodyOf(await this.#questions.ask({ method: 'GET', path: ownerPath(registry) })) as RegistryOverview
  }

  async outcome(registry: RegistryAddress, id: string, signal?: AbortSignal): ReturnType<VerdictDoor['outcome']> {
    type Ended = Extract<Awaited<ReturnType<VerdictDoor['outcome']>>, { readonly type: 'answered' }>['answer']
    const told = await this.#outcomes.of(registry, id, signal)
    return refusable(told, ({ outcome, status }: Ended) => ({ outcome, status }))
  }

  async wait(
    registry: RegistryAddress,
    request: WaitRequest,
    options: SendOptions = {},
  ): Promise<Refusable<WaitAnswer>> {
    const { mode, ids, runId, deadlineAt, signal, waitId = this.#parts.newId() } = request
    const begin = {
      method: 'POST',
      path: `${ownerPath(registry)}/waits`,
      body: { mode, ids, runId, deadlineAt, waitId, onBehalfOf: options.onBehalfOf },
      headers: this.#senderHeaders(options),
    } as const
    const standing = { method: 'GET', path: `${ownerPath(registry)}${pathOf`/waits/${waitId}`}` } as const
    let hasBegun = false
    const hasEnded = (body: unknown) => {
      hasBegun = true
      return (body as Partial<WaitAnswer>).ending !== undefined
    }
    try {
      const told = await this.#questions.waitFor(() => (hasBegun ? standing : begin), hasEnded, signal)
      return refusable(told, ({ ending, members, winner, ...answer }: WaitAnswer) => {
        return {
          waitId: answer.waitId,
          mode: answer.mode,
          ending,
          members,
          ...(winner === undefined ? {} : { winner }),
        }
      })
    } catch (error) {
      if (signal?.aborted) this.#send(registry, { type: 'CancelWait', waitId })
      throw error
    }
  }

  async completions(registry: RegistryAddress, request: CompletionsRequest): Promise<Refusable<CompletionPage>> {
    const { after, limit, wait = false, signal } = request
    const fault = sequenceFault('after', after) ?? (limit === undefined ? undefined : sequenceFault('limit', limit))
    if (fault !== undefined) return { type: 'refused', rejection: fault }
    const asked = { method: 'GET', path: `${ownerPath(registry)}/completions`, query: { after, limit } } as const
    if (!wait) return refusable(await this.#questions.ask(asked, signal), pageOf)
    const hasNews = (body: unknown) => {
      const page = body as CompletionPage
      return page.type === 'gap' || page.entries.length > 0
    }
    return refusable(await this.#questions.waitFor(() => asked, hasNews, signal), pageOf)
  }

  async cursor(registry: RegistryAddress, name: string): Promise<number> {
    const told = await this.#questions.ask({ method: 'GET', path: cursorPath(registry, name) })
    return (bodyOf(told) as { readonly sequence: number }).sequence
  }

  async moveCursor(registry: RegistryAddress, name: string, sequence: number): ReturnType<VerdictDoor['moveCursor']> {
    const fault = sequenceFault('sequence', sequence)
    if (fault !== undefined) return { type: 'refused', rejection: fault }
    return refusable(await this.#questions.ask({ method: 'PUT', path: cursorPath(registry, name), body: { sequence } }))
  }

  async collect(registry: RegistryAddress, options: SendOptions = {}): ReturnType<VerdictDoor['collect']> {
    const headers = this.#senderHeaders(options)
    const told = await this.#questions.ask({
      method: 'POST',
      path: `${ownerPath(registry)}:collect`,
      body: { onBehalfOf: options.onBehalfOf },
      headers,
    })
    if (told.type === 'refused') return refusable(told)
    const { operations, ...wire } = told.body as WireAnswer & { readonly operations: readonly OperationSnapshot[] }
    const result = resultFromWire(wire)
    if (result.type === 'refused') return result
    return { type: 'answered', answer: { operations, answer: result.answer satisfies CommandAnswer } }
  }

  async history(registry: RegistryAddress, id: string): Promise<readonly HistoryEntry[]> {
    const told = await this.#questions.ask({ method: 'GET', path: `${operationPath(registry, id)}/history` })
    if (isNotFound(told)) return []
    const { events } = bodyOf(told) as WireHistory
    return events.map(({ revision, position, metadata, ...event }) => {
      // As the server stored it; a newer one may know events that this client does not.
      return { revision, position: BigInt(position), event, metadata } as unknown as HistoryEntry
    })
  }

  onLease(
    registry: RegistryAddress,
    { id, leaseEpoch }: { readonly id: string; readonly leaseEpoch: number },
    listener: (cause: LeaseCause) => void,
  ): () => void {
    const stopped = new AbortController()
    if (this.#leasesWatched < LEASES_WATCHED_MAX) {
      this.#leasesWatched++
      void this.#watchLease(`${operationPath(registry, id)}/lease`, leaseEpoch, listener, stopped.signal)
    }
    return () => stopped.abort()
  }

  async *events(request: EventsRequest, signal: AbortSignal): AsyncGenerator<EventsAnswer, void, undefined> {
    const { types, ...wanted } = request
    let { after } = request
    let wasToldCaughtUp = false
    const query = () => ({ ...wanted, after, types: types?.join(',') })
    // That all was looked at is told at once, and a place named 'now' is one only when it is answered: neither is waited with.
    const asked = () => ({
      method: 'GET' as const,
      path: '/v1/events',
      query: query(),
      ...(wasToldCaughtUp ? {} : { waitSeconds: 0 }),
    })
    const isWanted = (body: unknown) => {
      const { type, events = [], isCaughtUp = false, nextAfter } = body as WireEvents
      const isNews = type === 'resync' || events.length > 0 || (isCaughtUp && !wasToldCaughtUp)
      if (!isNews) after = nextAfter
      return isNews
    }
    while (!signal.aborted) {
      let told: Told
      try {
        told = await this.#questions.waitFor(asked, isWanted, signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      if (told.type === 'refused') return yield refusable<never>(told) as EventsAnswer
      const page = told.body as WireEvents
      if (page.type === 'resync') {
        const reason = page.reason === 'position_gone' ? 'position_gone' : 'log_replaced'
        return yield { type: 'resync', reason, cursor: page.nextAfter }
      }
      const { events = [], isCaughtUp = false } = page
      wasToldCaughtUp ||= isCaughtUp
      after = page.nextAfter
      yield { type: 'events', events: events as readonly LiveEvent[], isCaughtUp }
    }
  }

  /** What is on its way to a server that answers is waited for; last words that it does not take are kept, or told. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const over = new AbortController()
    await Promise.race([this.#queue.settled(), rest(this.#parts.clock, CLOSE_GRACE_MS, over.signal)])
    over.abort()
    this.#reports.close()
    this.#closed.abort()
  }

  async #watchLease(
    path: string,
    leaseEpoch: number,
    listener: (cause: LeaseCause) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const causeIn = (body: unknown) => (body as { readonly cause?: LeaseCause }).cause
    try {
      const request = { method: 'GET', path, query: { leaseEpoch } } as const
      const told = await this.#questions.waitFor(
        () => request,
        (body) => causeIn(body) !== undefined,
        signal,
      )
      const cause = told.type === 'told' ? causeIn(told.body) : isNotFound(told) ? 'attempt_lost' : undefined
      if (cause !== undefined && !signal.aborted) listener(cause)
    } catch {
      // Stopped or closed; its heartbeats go on telling.
    } finally {
      this.#leasesWatched--
    }
  }

  #senderHeaders(options: SendOptions): Readonly<Record<string, string | undefined>> {
    const { commandId = this.#parts.newId(), correlationId, causationId, traceparent } = options
    const header = (text: string | undefined) => (text === undefined ? undefined : headerOfText(text))
    return {
      'idempotency-key': header(commandId),
      'correlation-id': header(correlationId),
      'causation-id': header(causationId),
      traceparent,
    }
  }

  /** For what nobody awaits. */
  #send(registry: RegistryAddress, command: Readonly<Record<string, unknown>>): void {
    this.send(registry, command).catch(() => {})
  }
}

const NO_PLACE = { revision: -1, position: 0n }

function ownerPath({ workspace, owner }: RegistryAddress): string {
  return pathOf`/v1/workspaces/${workspace}/owners/${owner}`
}

function operationPath(registry: RegistryAddress, id: string): string {
  return `${ownerPath(registry)}${pathOf`/operations/${id}`}`
}

function cursorPath(registry: RegistryAddress, name: string): string {
  return `${ownerPath(registry)}${pathOf`/cursors/${name}`}`
}

function isNotFound(told: Told): boolean {
  return told.type === 'refused' && told.rejection.code === 'not_found'
}

/** As embedding answers: what the API over HTTP says beside that is for those who speak HTTP. */
function pageOf(page: CompletionPage & { readonly nextAfter?: number }): CompletionPage {
  const { nextAfter: _ofHttp, ...told } = page
  return told
}

/** The server's word for it. */
function refusable<W, T = W>(told: Told, answerOf: (wire: W) => T = (wire) => wire as unknown as T): Refusable<T> {
  if (told.type === 'told') return { type: 'answered', answer: answerOf(told.body as W) }
  // Codes of the channel travel in the place of those of the authority, as in every refusal of a newer server.
  return { type: 'refused', rejection: told.rejection as Rejection }
}

function refusedHere(rejection: Rejection): CommandResult {
  return { type: 'refused', rejection, place: NO_PLACE }
}

/** Codes of the channel travel in the place of those of the authority. */
function rejectionOf({ code, message, facts }: OperationRejected): Rejection {
  return { code: code as Rejection['code'], message, facts }
}
