/**
 * Commands on their way to a server. Those that are issued together travel together; those of one owner arrive in the order
 * in which they were issued. Every command has an id, so that what was lost on the way is sent again without harm.
 *
 *     send -> waiting -> batch -> answered one by one
 *                ^         '-- lost, or refused for now: back into its place, after 1, 2, 4 ... 30 s
 *                '--- out of time: new work soon, everything else later, last words of workers never
 */
import type { CommandResult } from '../authority/command-answer.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { type BatchAnswer, type BatchEntry, refusalFromWire, resultFromWire } from '../wire/command-wire.ts'
import { type Problem, rejectionOfProblem } from '../wire/problem.ts'
import { backOffMs, rest } from './back-off.ts'
import { isPassing, serverUnavailable } from './http-refusals.ts'
import { type HttpAnswer, type HttpTransport, pathOf } from './http-transport.ts'
import { OperationRejected, type Refusal } from './operation-errors.ts'

export interface OutgoingCommand {
  readonly registry: RegistryAddress
  readonly entry: BatchEntry & { readonly commandId: string }
  /** Monotonic ms after which its sender is answered with what is known; infinite for what is kept until it is accepted. */
  readonly giveUpAt: number
  /** Told once, when it turns out that it does not get through at once. */
  readonly onDelay?: () => void
}

export interface CommandQueueParts {
  readonly transport: HttpTransport
  readonly clock: Clock
  readonly random: () => number
  readonly log: WarningLog
  /** Aborted when nothing is to be sent any more. */
  readonly closed: AbortSignal
}

/** What the server takes in one request by default; a server that takes less says so, and is given less. */
const BATCH_COMMANDS_MAX = 256
const BATCH_CHARACTERS_MAX = 1024 * 1024
const BATCHES_AT_ONCE_MAX = 4
/** Turns of the microtask queue from an answer to what its receiver sends next, with some to spare. */
const ANSWERED_WITHIN = 16
const COMMANDS_WAITING_MAX = 100_000

interface Waiting {
  readonly outgoing: OutgoingCommand
  readonly owner: string
  /** The entry as JSON. */
  readonly text: string
  readonly settle: (result: CommandResult | OperationRejected) => void
  readonly stopTimer: () => void
  /** A request with it was refused as a whole: its fault, or that of another in it. */
  isAlone: boolean
  /** It may have reached the server. */
  wasSent: boolean
  isDelayed: boolean
  isSettled: boolean
}

export class CommandQueue {
  readonly #parts: CommandQueueParts
  /** In the order of their calls. */
  #waiting: Waiting[] = []
  readonly #ownersOnTheWay = new Set<string>()
  #batchesOnTheWay = 0
  #batchCommandsMax = BATCH_COMMANDS_MAX
  #isScheduled = false
  /** Failures in a row. */
  #failures = 0
  #isResting = false
  readonly #quiet = new Set<() => void>()

  constructor(parts: CommandQueueParts) {
    this.#parts = parts
    parts.closed.addEventListener('abort', () => this.#close(), { once: true })
  }

  /** The server's answer or refusal. Rejects with OperationRejected where there is no server to be asked. */
  send(outgoing: OutgoingCommand): Promise<CommandResult> {
    const { clock, closed } = this.#parts
    if (closed.aborted) return Promise.reject(new OperationRejected(CLOSED))
    if (this.#waiting.length >= COMMANDS_WAITING_MAX) return Promise.reject(new OperationRejected(TOO_MANY))
    return new Promise((resolve, reject) => {
      const leftMs = outgoing.giveUpAt - clock.monotonicNow()
      const waiting: Waiting = {
        outgoing,
        owner: JSON.stringify([outgoing.registry.workspace, outgoing.registry.owner]),
        text: JSON.stringify(outgoing.entry),
        settle: (result) => {
          if (waiting.isSettled) return
          waiting.isSettled = true
          waiting.stopTimer()
          if (result instanceof OperationRejected) reject(result)
          else resolve(result)
        },
        stopTimer: Number.isFinite(leftMs)
          ? clock.after(leftMs, () => this.#giveUp(waiting, 'the server does not answer'), 'awaited')
          : () => {},
        isAlone: false,
        wasSent: false,
        isDelayed: false,
        isSettled: false,
      }
      this.#waiting.push(waiting)
      void this.#schedule()
    })
  }

  /** Ends when nothing is on its way to a server that answers; what can't be delivered now is not waited for. */
  async settled(): Promise<void> {
    while (this.#batchesOnTheWay > 0 || (this.#waiting.length > 0 && this.#failures === 0)) {
      await new Promise<void>((resolve) => this.#quiet.add(resolve))
    }
  }

  /** After what is issued in this turn of the event loop, and what follows from answers of this turn. */
  async #schedule(): Promise<void> {
    if (this.#isScheduled) return
    this.#isScheduled = true
    for (let i = 0; i < ANSWERED_WITHIN; i++) await undefined
    this.#isScheduled = false
    this.#pump()
  }

  #pump(): void {
    while (!this.#isResting && this.#batchesOnTheWay < BATCHES_AT_ONCE_MAX) {
      // Whoever does not answer is asked with one batch at a time.
      if (this.#failures > 0 && this.#batchesOnTheWay > 0) return
      const batch = this.#take()
      if (batch.length === 0) break
      void this.#deliver(batch)
    }
    if (this.#batchesOnTheWay === 0) this.#tellQuiet()
  }

  #tellQuiet(): void {
    for (const resolve of this.#quiet) resolve()
    this.#quiet.clear()
  }

  /** The next ones of owners of which none is on its way. */
  #take(): Waiting[] {
    /** Of these something waits already, and what follows it waits as well, whether or not there is room for that. */
    const waitingOwners = new Set(this.#ownersOnTheWay)
    const batch: Waiting[] = []
    const left: Waiting[] = []
    let characters = 0
    for (const waiting of this.#waiting) {
      if (waiting.isSettled) continue
      const isFull =
        batch.length >= this.#batchCommandsMax ||
        (batch.length > 0 && (waiting.isAlone || batch[0]?.isAlone)) ||
        (batch.length > 0 && characters + waiting.text.length > BATCH_CHARACTERS_MAX)
      // What somebody may do is weighed by workspace: one in which they may nothing must not spoil another.
      const isElsewhere =
        batch.length > 0 && batch[0]?.outgoing.registry.workspace !== waiting.outgoing.registry.workspace
      if (!isFull && !isElsewhere && !waitingOwners.has(waiting.owner)) {
        batch.push(waiting)
        characters += waiting.text.length
      } else {
        left.push(waiting)
        waitingOwners.add(waiting.owner)
      }
    }
    this.#waiting = left
    return batch
  }

  async #deliver(batch: readonly Waiting[]): Promise<void> {
    const { transport, clock, random, closed } = this.#parts
    const owners = new Set(batch.map(({ owner }) => owner))
    for (const owner of owners) this.#ownersOnTheWay.add(owner)
    this.#batchesOnTheWay++
    const { workspace = '', owner = '' } = batch[0]?.outgoing.registry ?? {}
    const path = pathOf`/v1/workspaces/${workspace}/owners/${owner}/commands:batch`
    const body = `{"commands":[${batch.map(({ text }) => text).join(',')}]}`
    let restMs: number | undefined
    try {
      const answer = await transport.call({ method: 'POST', path, body }, closed)
      restMs = this.#answered(batch, answer)
    } catch (error) {
      // Closed: whoever still waits has been told.
      if (!closed.aborted) throw error
    }
    for (const owner of owners) this.#ownersOnTheWay.delete(owner)
    this.#batchesOnTheWay--
    if (restMs !== undefined && !this.#isResting) {
      this.#isResting = true
      this.#tellQuiet()
      await rest(clock, Math.max(restMs, backOffMs(this.#failures, random)), closed)
      this.#isResting = false
    }
    await this.#schedule()
  }

  /** Gives how long to rest at least, where the server could not be spoken to. */
  #answered(batch: readonly Waiting[], answer: HttpAnswer): number | undefined {
    if (answer.type === 'answered') {
      this.#failures = 0
      const { results } = answer.body as BatchAnswer
      for (const [i, waiting] of batch.entries()) this.#toldOne(waiting, results[i])
      return undefined
    }
    if (answer.type === 'lost') {
      for (const waiting of batch) waiting.wasSent ||= !answer.isUnsent
      return this.#again(batch, answer.message, 0)
    }
    const { rejection, retryAfterMs = 0, place } = answer
    if (isPassing(rejection)) return this.#again(batch, rejection.message, retryAfterMs)
    if (
      batch.length > 1 &&
      (rejection.code === 'invalid_command' || (rejection.code as string) === 'malformed_request')
    ) {
      for (const waiting of batch) waiting.isAlone = true
      this.#waiting = [...batch, ...this.#waiting]
      return undefined
    }
    const isTooMuch = rejection.code === 'content_too_large' || (rejection.code as string) === 'body_too_large'
    if (isTooMuch && batch.length > 1) {
      this.#batchCommandsMax = Math.ceil(batch.length / 2)
      this.#waiting = [...batch, ...this.#waiting]
      return undefined
    }
    this.#failures = 0
    for (const { settle } of batch) settle({ type: 'refused', rejection, place: place ?? NO_PLACE })
    return undefined
  }

  #toldOne(waiting: Waiting, told: BatchAnswer['results'][number] | undefined): void {
    const { settle } = waiting
    if (told === undefined) settle(new OperationRejected(UNANSWERED))
    else if (told.type === 'answered') settle(resultFromWire(told.answer))
    else {
      const rejection = rejectionOfProblem(told.problem)
      if (rejection.code === 'outcome_unknown') waiting.wasSent = true
      if (isPassing(rejection)) void this.#later(waiting, told.problem)
      else settle(refusalFromWire(told.problem))
    }
  }

  /** A refusal of one command that may pass: tried again while there is time, else told as it is. */
  async #later(waiting: Waiting, problem: Problem): Promise<void> {
    const { clock, random, closed } = this.#parts
    this.#delayed(waiting)
    const pauseMs = REFUSED_PAUSE_MS * (0.5 + random())
    if (clock.monotonicNow() + pauseMs > waiting.outgoing.giveUpAt) return waiting.settle(refusalFromWire(problem))
    await rest(clock, pauseMs, closed)
    if (waiting.isSettled) return
    this.#waiting.push(waiting)
    void this.#schedule()
  }

  #again(batch: readonly Waiting[], message: string, restMs: number): number {
    const { log, transport } = this.#parts
    this.#failures++
    const left = batch.filter(({ isSettled }) => !isSettled)
    for (const waiting of left) this.#delayed(waiting)
    this.#waiting = [...left, ...this.#waiting]
    if (this.#failures === 2)
      log.warn({ server: transport.address, commands: left.length }, `no way through: ${message}`)
    return restMs
  }

  #delayed(waiting: Waiting): void {
    if (waiting.isDelayed) return
    waiting.isDelayed = true
    waiting.outgoing.onDelay?.()
  }

  /** Nothing of it is sent afterwards. */
  #giveUp(waiting: Waiting, why: string): void {
    const isOnTheWay = !this.#waiting.includes(waiting)
    const { commandId } = waiting.outgoing.entry
    const rejection = serverUnavailable(this.#parts.transport.address, why, {
      commandId,
      mayHaveArrived: waiting.wasSent || isOnTheWay,
    })
    this.#waiting = this.#waiting.filter((one) => one !== waiting)
    waiting.settle(new OperationRejected(rejection, commandId))
  }

  #close(): void {
    for (const waiting of this.#waiting) waiting.settle(new OperationRejected(CLOSED))
    this.#waiting = []
    this.#tellQuiet()
  }
}

const REFUSED_PAUSE_MS = 250
const NO_PLACE = { revision: -1, position: 0n }

const CLOSED: Refusal = { code: 'shutting_down', message: 'the connection to the server was closed', facts: {} }
const TOO_MANY: Refusal = {
  code: 'overloaded',
  message: `more than ${COMMANDS_WAITING_MAX} commands wait for the server`,
  facts: { limit: COMMANDS_WAITING_MAX, retryable: true },
}
const UNANSWERED: Refusal = {
  code: 'outcome_unknown',
  message: 'the server did not answer this command of a batch',
  facts: { retryable: true },
}
