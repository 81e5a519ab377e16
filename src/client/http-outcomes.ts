/**
 * Those who wait for outcomes on a server. Who ask within one turn travel in one request, which tells each outcome as it comes; so that
 * requests stay few, small ones are taken over by a new one.
 *
 *     asked -> waiting -> request -> told one by one
 *                 ^          |'-- taken over: too many are open, or of those who asked too many have left
 *                 '----------'--- ended before all were told, lost, refused for now: after 0, 1, 2, 4 ... 30 s
 */
import type { RegistryAddress } from '../authority/questions.ts'
import { ChannelClosed } from '../runtime/channel-closed.ts'
import type { Clock } from '../runtime/clock.ts'
import { backOffMs, rest } from './back-off.ts'
import type { Told } from './http-questions.ts'
import { isPassing } from './http-refusals.ts'
import type { HttpTransport } from './http-transport.ts'
import { type Asker, OutcomeRequest, type RequestEnding } from './outcome-request.ts'

export interface OutcomeParts {
  readonly transport: HttpTransport
  readonly clock: Clock
  readonly random: () => number
  readonly silenceMsMax: number
  /** Aborted when nobody waits any more. */
  readonly closed: AbortSignal
}

/** What a server takes in one request by default; one that takes less says so, and is given less. */
const OPERATIONS_MAX = 1_000
/** Beside those that are full: a browser has six connections to a server. */
const REQUESTS_OPEN_MAX = 4
/** What is taken over is at most so many times what takes it over: so each asker travels few times, though they come one by one. */
const TAKEN_OVER_TIMES = 2
/** When one in so many has left, the others travel anew, so that the server lets those go. */
const LEFT_SHARE = 8
/** Whoever was not told is not asked for more often than this. */
const UNTOLD_MS = 500
/** Turns of the microtask queue from an answer to what its receiver asks next, with some to spare. */
const ANSWERED_WITHIN = 16

export class Outcomes {
  readonly #parts: OutcomeParts
  /** Each with the way to tell it that nobody will. */
  readonly #askers = new Map<Asker, (error: unknown) => void>()
  /** In the order of their calls; whoever leaves stays in it until it is their turn. */
  #waiting: Asker[] = []
  readonly #requests = new Set<OutcomeRequest>()
  #operationsMax = OPERATIONS_MAX
  #isScheduled = false
  /** One at a time: who ask meanwhile travel together. */
  #isOpening = false
  #isResting = false
  /** In a row, of requests that were not answered. */
  #failures = 0
  /** Of those who rest before they ask again: aborts when nobody asks any more. */
  #resting: AbortController | undefined

  constructor(parts: OutcomeParts) {
    this.#parts = parts
    parts.closed.addEventListener('abort', () => this.#close(), { once: true })
  }

  /** Its outcome, or a refusal that does not pass, however long it takes. Throws ChannelClosed, the signal's reason. */
  of({ workspace, owner }: RegistryAddress, id: string, signal: AbortSignal | undefined): Promise<Told> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#parts.closed.aborted) throw new ChannelClosed('shutdown')
      const settled = (isTold: boolean) => {
        signal?.removeEventListener('abort', leave)
        this.#settled(asker, isTold)
      }
      const fail = (error: unknown) => {
        settled(false)
        reject(error)
      }
      const leave = () => fail(signal?.reason)
      const asker: Asker = {
        // What is no text names nothing, and must not spoil what travels with it.
        text: JSON.stringify({ workspace: `${workspace}`, owner: `${owner}`, id: `${id}` }),
        settle: (told) => {
          settled(true)
          resolve(told)
        },
        refusals: 0,
        isSettled: false,
        request: undefined,
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#askers.set(asker, fail)
      this.#waiting.push(asker)
      void this.#schedule()
    })
  }

  #settled(asker: Asker, isTold: boolean): void {
    const { request } = asker
    asker.isSettled = true
    asker.request = undefined
    this.#askers.delete(asker)
    request?.release({ isTold })
    if (this.#askers.size === 0) {
      this.#failures = 0
      this.#resting?.abort()
      this.#resting = undefined
    } else if (request !== undefined && isUntidy(request)) void this.#schedule()
  }

  /** After what is asked in this turn of the event loop, and what follows from answers of this turn. */
  async #schedule(): Promise<void> {
    if (this.#isScheduled) return
    this.#isScheduled = true
    for (let i = 0; i < ANSWERED_WITHIN; i++) await undefined
    this.#isScheduled = false
    if (this.#isOpening || this.#isResting) return
    const { askers, takenOver } = this.#take()
    if (askers.length > 0) void this.#ask(askers, takenOver)
  }

  /** Who travels next, with those of requests that end therefore. */
  #take(): { readonly askers: readonly Asker[]; readonly takenOver: readonly OutcomeRequest[] } {
    const left = this.#waiting.filter(({ isSettled }) => !isSettled)
    const askers = left.slice(0, this.#operationsMax)
    this.#waiting = left.slice(askers.length)
    const takenOver: OutcomeRequest[] = []
    const small = [...this.#requests]
      .filter(({ isOpen, waiting }) => isOpen && waiting + askers.length <= this.#operationsMax)
      .sort((a, b) => a.waiting - b.waiting)
    const isCrowded = askers.length > 0 && small.length >= REQUESTS_OPEN_MAX
    for (const request of small) {
      if (askers.length + request.waiting > this.#operationsMax) break
      const isLittle = takenOver.length === 0 || request.waiting <= TAKEN_OVER_TIMES * askers.length
      if (!isUntidy(request) && !(isCrowded && isLittle)) continue
      askers.push(...request.untold)
      takenOver.push(request)
    }
    return { askers, takenOver }
  }

  async #ask(askers: readonly Asker[], takenOver: readonly OutcomeRequest[]): Promise<void> {
    const { clock } = this.#parts
    const askedAt = clock.monotonicNow()
    const letGo = () => {
      for (const request of takenOver) request.end()
    }
    let isOpening = true
    const request = new OutcomeRequest(askers, {
      ...this.#parts,
      onOpen: () => {
        isOpening = false
        this.#isOpening = false
        this.#failures = 0
        letGo()
        void this.#schedule()
      },
      onPassing: (asker) => void this.#later([asker], Math.max(UNTOLD_MS, this.#backOffMs(++asker.refusals))),
    })
    this.#isOpening = true
    this.#requests.add(request)
    const ending = await request.run()
    this.#requests.delete(request)
    if (isOpening) this.#isOpening = false
    letGo()
    await this.#ended(request, ending, clock.monotonicNow() - askedAt)
  }

  /** Whoever was not told asks again. */
  async #ended(request: OutcomeRequest, ending: RequestEnding, tookMs: number): Promise<void> {
    const { untold } = request
    for (const asker of untold) asker.request = undefined
    switch (ending.type) {
      case 'over':
        return this.#schedule()
      case 'cut':
        // At once, as for a connection that had grown old; and then not so soon.
        this.#failures = Math.max(this.#failures, 1)
        return this.#later(untold, UNTOLD_MS - tookMs)
      case 'ended':
        return this.#later(untold, UNTOLD_MS - tookMs)
      case 'lost':
        return this.#again(untold, 0)
      case 'refused':
        return this.#refused(untold, ending)
      default:
        ending satisfies never
    }
  }

  #refused(askers: readonly Asker[], { rejection, retryAfterMs = 0 }: Extract<RequestEnding, { type: 'refused' }>) {
    if (isPassing(rejection)) return this.#again(askers, retryAfterMs)
    const isTooMuch = rejection.code === 'content_too_large' || (rejection.code as string) === 'body_too_large'
    if (isTooMuch && askers.length > 1) {
      this.#operationsMax = Math.ceil(askers.length / 2)
      return this.#later(askers, 0)
    }
    for (const { settle } of askers) settle({ type: 'refused', rejection })
    return this.#schedule()
  }

  /** Nobody asks for a while. */
  async #again(askers: readonly Asker[], atLeastMs: number): Promise<void> {
    this.#failures++
    this.#waiting = [...askers, ...this.#waiting]
    this.#isResting = true
    await this.#rest(Math.max(atLeastMs, this.#backOffMs(this.#failures)))
    this.#isResting = false
    await this.#schedule()
  }

  async #later(askers: readonly Asker[], ms: number): Promise<void> {
    if (askers.length > 0 && ms > 0) await this.#rest(ms)
    this.#waiting = [...askers, ...this.#waiting]
    await this.#schedule()
  }

  #rest(ms: number): Promise<void> {
    this.#resting ??= new AbortController()
    return rest(this.#parts.clock, ms, this.#resting.signal)
  }

  #backOffMs(tries: number): number {
    return backOffMs(tries, this.#parts.random)
  }

  #close(): void {
    for (const fail of [...this.#askers.values()]) fail(new ChannelClosed('shutdown'))
    for (const request of this.#requests) request.end()
  }
}

function isUntidy({ isOpen, left, waiting }: OutcomeRequest): boolean {
  return isOpen && left > 0 && left * LEFT_SHARE >= waiting
}
