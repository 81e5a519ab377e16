/**
 * Heartbeats are many and say little: they are answered as heard and written together, each at latest a quarter of its own
 * operation's staleAfter after it was heard. What is heard is never lost on the way: it stays here until the log has it.
 *
 * The first sign of an attempt is written soon: until the log has it, silence is judged by startGrace, which is a day for
 * unknown kinds, and a process that dies takes with it what it only heard. An attempt that ends sooner needs none.
 */
import type { Command } from '../authority/commands.ts'
import { DEFAULT_POLICY } from '../authority/lifecycle-policy.ts'
import type { Operation } from '../authority/operation.ts'
import { operationByNumber, type RegistryState } from '../authority/registry.ts'
import { isActive } from '../authority/status.ts'
import type { Clock } from '../runtime/clock.ts'

interface Heard {
  readonly at: number
  /** Monotonic ms by which it is to be written. */
  readonly dueAt: number
}

/** Pairs in one event: far below the append limit. */
const SIGNS_PER_COMMAND = 10_000
/** Signs that are due this soon travel along. */
const SLACK_MS = 250
const RETRY_MS = 1_000
const FIRST_SIGN_WITHIN_MS = 1_000

export class SignsOfLife {
  readonly #clock: Clock
  readonly #write: (command: Command) => Promise<boolean>
  readonly #heard = new Map<number, Heard>()
  #stopTimer: (() => void) | undefined
  #timerDueAt = Number.POSITIVE_INFINITY
  #isFailing = false
  #isStopped = false
  #writingSince: number | undefined

  /** `write` tells whether the log has it. */
  constructor(clock: Clock, write: (command: Command) => Promise<boolean>) {
    this.#clock = clock
    this.#write = write
  }

  get size(): number {
    return this.#heard.size
  }

  /** The last write failed or is overdue: what is heard now might be lost, so it must not be answered as heard. */
  get isFailing(): boolean {
    const since = this.#writingSince
    return this.#isFailing || (since !== undefined && this.#clock.monotonicNow() - since > RETRY_MS)
  }

  hear({ number, policy, lastSignAt }: Operation, at: number): void {
    const before = this.#heard.get(number)
    // Written a little before its quarter is over, so that it is in the log when the quarter is.
    const quarterMs = (policy ?? DEFAULT_POLICY).staleAfterMs / 5
    const withinMs = lastSignAt === undefined ? Math.min(FIRST_SIGN_WITHIN_MS, quarterMs) : quarterMs
    const dueAt = before?.dueAt ?? this.#clock.monotonicNow() + withinMs
    this.#heard.set(number, { at: Math.max(at, before?.at ?? at), dueAt })
    this.#schedule(dueAt)
  }

  /**
   * Commands that write what this state does not know yet; nothing when it knows all. The state may be a pending one, so
   * nothing is forgotten here: its append may still be refused.
   */
  commands(state: RegistryState, dueBefore: number = Number.POSITIVE_INFINITY): readonly Command[] {
    const signs: [number, number][] = []
    for (const [number, { at, dueAt }] of this.#heard) {
      if (dueAt <= dueBefore && !isKnown(state, number, at)) signs.push([number, at])
    }
    const commands: Command[] = []
    for (let i = 0; i < signs.length; i += SIGNS_PER_COMMAND) {
      commands.push({ type: 'RecordSigns', signs: signs.slice(i, i + SIGNS_PER_COMMAND) })
    }
    return commands
  }

  /** Writes what is heard and not durable; all of it, or what is due. Ends when the log answered. */
  async flush(durable: RegistryState, dueBefore?: number): Promise<void> {
    for (const [number, { at }] of this.#heard) if (isKnown(durable, number, at)) this.#heard.delete(number)
    this.#writingSince ??= this.#clock.monotonicNow()
    let isFailing = false
    for (const command of this.commands(durable, dueBefore)) {
      isFailing = !(await this.#write(command))
      if (isFailing) break
      if (command.type === 'RecordSigns') for (const [number, at] of command.signs) this.#forget(number, at)
    }
    this.#writingSince = undefined
    this.#isFailing = isFailing
    if (this.#isStopped) return
    if (isFailing) this.#schedule(this.#clock.monotonicNow() + RETRY_MS)
    else this.#scheduleNext()
  }

  stop(): void {
    this.#isStopped = true
    this.#stopTimer?.()
    this.#stopTimer = undefined
    this.#timerDueAt = Number.POSITIVE_INFINITY
  }

  /** Set by the owner: flushes what is due on the durable state. */
  onDue: (dueBefore: number) => void = () => {}

  #forget(number: number, at: number): void {
    if ((this.#heard.get(number)?.at ?? at) <= at) this.#heard.delete(number)
  }

  #scheduleNext(): void {
    let next = Number.POSITIVE_INFINITY
    for (const { dueAt } of this.#heard.values()) next = Math.min(next, dueAt)
    if (next !== Number.POSITIVE_INFINITY) this.#schedule(next)
  }

  #schedule(dueAt: number): void {
    if (dueAt >= this.#timerDueAt) return
    this.#stopTimer?.()
    this.#timerDueAt = dueAt
    this.#stopTimer = this.#clock.after(dueAt - this.#clock.monotonicNow(), () => {
      this.#timerDueAt = Number.POSITIVE_INFINITY
      this.#stopTimer = undefined
      this.onDue(this.#clock.monotonicNow() + SLACK_MS)
    })
  }
}

/** Nothing is lost when this sign is never written: a later one is, or nobody asks for one any more. */
function isKnown(state: RegistryState, number: number, at: number): boolean {
  const operation = operationByNumber(state, number)
  return operation === undefined || !isActive(operation.status) || (operation.lastSignAt ?? -1) >= at
}
