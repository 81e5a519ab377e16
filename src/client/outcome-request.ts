/**
 * One request for the outcomes of many operations, and those who ask for them. A later request may take over whoever is left; until that
 * one is answered both may tell, and each asker is told once.
 */
import type { Rejection } from '../authority/rejections.ts'
import {
  OUTCOMES_CLOSING,
  OUTCOMES_OPEN,
  OUTCOMES_SLOW,
  type WireOutcomesOpen,
  type WireOutcomeTold,
} from '../wire/outcome-wire.ts'
import { rejectionOfProblem } from '../wire/problem.ts'
import type { Told } from './http-questions.ts'
import { isPassing } from './http-refusals.ts'
import type { HttpLoss, HttpRefusal, HttpTransport } from './http-transport.ts'
import { SentEvents } from './sent-events.ts'

/** More than a server waits by default: how long it does, is its to say. */
const WAIT_SECONDS = 300
/** What a server promises by default to say something within; until it has said so itself. */
const PING_MS = 25_000

/** Made once: a reason that is made for each costs more than the rest of ending a request. */
const OVER = new Error('nobody is left who would be told')

/** Somebody who waits for one outcome. */
export interface Asker {
  /** The operation as JSON. */
  readonly text: string
  readonly settle: (told: Told) => void
  /** Refusals that may pass. */
  refusals: number
  isSettled: boolean
  /** The newest that it travels in. */
  request: OutcomeRequest | undefined
}

export interface OutcomeRequestParts {
  readonly transport: HttpTransport
  /** A server that says nothing for so long, beyond what it promised, is taken for gone. */
  readonly silenceMsMax: number
  /** The server has it. */
  readonly onOpen: () => void
  /** An asker got a refusal that may pass; it travels in this no more. */
  readonly onPassing: (asker: Asker) => void
}

/** `ended`: by the server, in order. `cut`: it was open. `over`: nobody is left who would be told by it. */
export type RequestEnding = { readonly type: 'ended' | 'cut' | 'over' } | HttpRefusal | HttpLoss

export class OutcomeRequest {
  /** By their places. */
  readonly #askers: readonly Asker[]
  readonly #parts: OutcomeRequestParts
  readonly #over = new AbortController()
  readonly #events = new SentEvents()
  /** Askers that are not told and travel in no newer one. */
  #waiting: number
  /** Askers that left: the server goes on watching for them. */
  #left = 0
  #isOpen = false
  #isClosing = false
  #pingMs = PING_MS

  constructor(askers: readonly Asker[], parts: OutcomeRequestParts) {
    this.#askers = askers
    this.#parts = parts
    this.#waiting = askers.length
    for (const asker of askers) asker.request = this
  }

  get waiting(): number {
    return this.#waiting
  }

  get left(): number {
    return this.#left
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#over.signal.aborted
  }

  /** Those that travel in it still. */
  get untold(): Asker[] {
    return this.#askers.filter((asker) => !asker.isSettled && asker.request === this)
  }

  /** Sends it, and tells until it ends. */
  async run(): Promise<RequestEnding> {
    const { transport, silenceMsMax } = this.#parts
    const body = `{"operations":[${this.#askers.map(({ text }) => text).join(',')}]}`
    const reader = {
      begun: () => this.#begun(),
      heard: (text: string) => this.#heard(text),
      silenceMsMax: () => this.#pingMs + silenceMsMax,
    }
    try {
      const request = { method: 'POST', path: '/v1/operations:outcomes', body, waitSeconds: WAIT_SECONDS } as const
      const answer = await transport.stream(request, reader, this.#over)
      return this.#isOpen ? { type: this.#isClosing ? 'ended' : 'cut' } : (answer as RequestEnding)
    } catch (error) {
      if (error === OVER) return { type: 'over' }
      throw error
    }
  }

  /** One of them was told, or leaves it. */
  release({ isTold }: { readonly isTold: boolean }): void {
    this.#waiting--
    if (!isTold) this.#left++
    // Where all were told, the server ends it, and its connection is there for the next one.
    if (this.#waiting === 0 && this.#left > 0) this.end()
  }

  /** Tells nobody any more. */
  end(): void {
    this.#over.abort(OVER)
  }

  #begun(): void {
    this.#isOpen = true
    this.#parts.onOpen()
  }

  #heard(text: string): void {
    for (const { name, data } of this.#events.next(text)) {
      switch (name) {
        case '':
          this.#told(JSON.parse(data) as WireOutcomeTold)
          break
        case OUTCOMES_OPEN:
          this.#pingMs = (JSON.parse(data) as WireOutcomesOpen).pingMs
          break
        case OUTCOMES_CLOSING:
        case OUTCOMES_SLOW:
          this.#isClosing = true
          break
        default: // of a newer server
      }
    }
  }

  #told(told: WireOutcomeTold): void {
    const asker = this.#askers[told.index]
    if (asker === undefined || asker.isSettled) return
    if (told.type === 'ended') asker.settle({ type: 'told', body: told })
    else if (told.type === 'refused') this.#refused(asker, rejectionOfProblem(told.problem))
  }

  #refused(asker: Asker, rejection: Rejection): void {
    if (!isPassing(rejection)) {
      asker.settle({ type: 'refused', rejection })
    } else if (asker.request === this) {
      this.release({ isTold: true })
      asker.request = undefined
      this.#parts.onPassing(asker)
    }
  }
}
