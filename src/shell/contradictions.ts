/**
 * A worker's late report was refused and claims another end than the true one: that goes on record, and changes nothing
 * (lifecycle.md, section 4). Operators never contradict. Nobody waits for the record, so a log that is full or away for a
 * while must not lose it: it is sent again, later and later, under the same command id, so that it is stored once.
 */
import type { Command, CommandOf } from '../authority/commands.ts'
import type { Rejection } from '../authority/rejections.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { AddressedCommand } from './command-stamp.ts'
import type { Registries } from './registries.ts'
import { nodeRejection, SHUTTING_DOWN } from './store-refusals.ts'
import { type Sender, type Settlement, SHELL } from './ticket.ts'

export interface ContradictionParts {
  readonly registries: Registries
  readonly clock: Clock
  readonly log: WarningLog
}

const TRIES_MAX = 10
const WAIT_MS_FIRST = 250
const WAIT_MS_MAX = 60_000

export class Contradictions {
  readonly #parts: ContradictionParts
  readonly #closed = new AbortController()

  constructor(parts: ContradictionParts) {
    this.#parts = parts
  }

  /** Puts it on record, behind everything that its registry was sent before. What can't be is logged. Never rejects. */
  async record(stream: string, addressed: AddressedCommand, causationId: string): Promise<void> {
    const sender: Sender = { ...SHELL, causationId }
    for (let tries = 1, waitMs = WAIT_MS_FIRST; ; tries++, waitMs = Math.min(WAIT_MS_MAX, waitMs * 2)) {
      const refusal = await this.#send(stream, addressed, sender)
      // Without the fact it is the authority that refuses: the truth has moved on, and nothing is contradicted any more.
      if (refusal === undefined || refusal.facts.retryable === undefined) return
      const isOver = refusal.facts.retryable === false || tries === TRIES_MAX || !(await this.#waited(waitMs))
      if (!isOver) continue
      const { code, message, facts } = refusal
      const { operationId } = facts
      this.#parts.log.warn(
        { stream, operationId, code, tries },
        `a late report that contradicts the outcome is not on record: ${message}`,
      )
      return
    }
  }

  /** Nothing is sent again after this. */
  close(): void {
    this.#closed.abort()
  }

  /** What it was refused with; undefined when it is on record. */
  async #send(stream: string, addressed: AddressedCommand, sender: Sender): Promise<Rejection | undefined> {
    const used = this.#parts.registries.use(stream)
    const registry = used instanceof Promise ? await used : used
    if (registry === undefined) return nodeRejection(addressed.command, SHUTTING_DOWN)
    const { result } = await new Promise<Settlement>((settle) => registry.submit(addressed, sender, settle))
    return result.type === 'refused' ? result.rejection : undefined
  }

  /** False when this node shuts down meanwhile. */
  #waited(ms: number): Promise<boolean> {
    const { signal } = this.#closed
    return sleep(this.#parts.clock, ms, signal).then(
      () => true,
      () => false,
    )
  }
}

/** The command that records it; undefined where nothing is contradicted. */
export function contradictionIn(
  command: Command,
  { code, facts }: Rejection,
): CommandOf<'RecordContradiction'> | undefined {
  if (code !== 'already_terminal' && code !== 'stale_lease') return undefined
  if (command.type !== 'CompleteOperation' && command.type !== 'FailOperation') return undefined
  const isCompleted = facts.currentStatus === 'completed'
  const epoch = command.leaseEpoch === undefined ? {} : { epoch: command.leaseEpoch }
  const report = { type: 'RecordContradiction', id: command.id, ...epoch } as const
  if (command.type === 'CompleteOperation') {
    const result = command.result === undefined ? {} : { result: command.result }
    return isCompleted ? undefined : { ...report, claimed: 'completed', ...result }
  }
  if (command.asOperator === true || !isCompleted) return undefined
  return { ...report, claimed: 'failed', error: command.error }
}
