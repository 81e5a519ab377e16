/**
 * Questions to a server: asked again while nothing answers, for a bounded time; and long polls, which go on over lost
 * connections and restarts until what is waited for is there.
 */
import { ChannelClosed } from '../runtime/channel-closed.ts'
import type { Clock } from '../runtime/clock.ts'
import { backOffMs, rest } from './back-off.ts'
import { isPassing, serverUnavailable } from './http-refusals.ts'
import type { HttpAnswer, HttpRequest, HttpTransport } from './http-transport.ts'
import { OperationRejected, type Refusal } from './operation-errors.ts'

export interface QuestionParts {
  readonly transport: HttpTransport
  readonly clock: Clock
  readonly random: () => number
  readonly answerWithinMs: number
  /** Aborted when nobody waits any more. */
  readonly closed: AbortSignal
}

export type Told =
  | { readonly type: 'told'; readonly body: unknown }
  | { readonly type: 'refused'; readonly rejection: Refusal }

/** Shorter than what stands between client and server usually takes for silence. */
const WAIT_SECONDS = 25
/** A server that does not wait (any more) is not asked more often than this. */
const UNWAITED_MS = 500

export class Questions {
  readonly #parts: QuestionParts

  constructor(parts: QuestionParts) {
    this.#parts = parts
  }

  /** Throws OperationRejected `server_unavailable`, ChannelClosed, the signal's reason. */
  async ask(request: HttpRequest, signal?: AbortSignal): Promise<Told> {
    const { clock, answerWithinMs } = this.#parts
    const giveUpAt = clock.monotonicNow() + answerWithinMs
    for (let tries = 1; ; tries++) {
      const answer = await this.#call(request, signal)
      const told = toldIn(answer)
      if (told !== undefined) return told
      const pauseMs = this.#pauseMs(answer, tries)
      if (clock.monotonicNow() + pauseMs > giveUpAt) return { type: 'refused', rejection: this.#refusalOf(answer) }
      await this.#rest(pauseMs, signal)
    }
  }

  /**
   * Until there is an answer that is wanted, or a refusal that does not pass. The request is made anew each time. Throws
   * ChannelClosed, the signal's reason.
   */
  async waitFor(
    request: () => HttpRequest,
    isWanted: (body: unknown) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<Told> {
    const { clock } = this.#parts
    for (let tries = 1; ; ) {
      const askedAt = clock.monotonicNow()
      const answer = await this.#call({ waitSeconds: WAIT_SECONDS, ...request() }, signal)
      const told = toldIn(answer)
      if (told?.type === 'refused' || (told?.type === 'told' && isWanted(told.body))) return told
      if (told === undefined) {
        await this.#rest(this.#pauseMs(answer, tries++), signal)
        continue
      }
      tries = 1
      const tookMs = clock.monotonicNow() - askedAt
      if (tookMs < UNWAITED_MS) await this.#rest(UNWAITED_MS - tookMs, signal)
    }
  }

  async #call(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    const { transport, closed } = this.#parts
    signal?.throwIfAborted()
    if (closed.aborted) throw new ChannelClosed('shutdown')
    try {
      return await transport.call(request, signal === undefined ? closed : AbortSignal.any([closed, signal]))
    } catch (error) {
      signal?.throwIfAborted()
      if (closed.aborted) throw new ChannelClosed('shutdown')
      throw error
    }
  }

  #pauseMs(answer: HttpAnswer, tries: number): number {
    const told = answer.type === 'refused' ? (answer.retryAfterMs ?? 0) : 0
    return Math.max(told, backOffMs(tries, this.#parts.random))
  }

  #refusalOf(answer: HttpAnswer): Refusal {
    if (answer.type === 'refused') return answer.rejection
    const why = answer.type === 'lost' ? answer.message : 'it does not answer'
    return serverUnavailable(this.#parts.transport.address, why, { mayHaveArrived: false })
  }

  async #rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, closed } = this.#parts
    await rest(clock, ms, signal === undefined ? closed : AbortSignal.any([closed, signal]))
  }
}

/** The body; throws OperationRejected for a refusal. */
export function bodyOf(told: Told): unknown {
  if (told.type === 'refused') throw new OperationRejected(told.rejection)
  return told.body
}

function toldIn(answer: HttpAnswer): Told | undefined {
  if (answer.type === 'answered') return { type: 'told', body: answer.body }
  if (answer.type === 'refused' && !isPassing(answer.rejection)) return { type: 'refused', rejection: answer.rejection }
  return undefined
}
