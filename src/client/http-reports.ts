/**
 * Last words of workers: kept until the server has them, on disk where there is a spool and they do not get through at once,
 * and never dropped without a line in the log.
 */
import type { CommandResult } from '../authority/command-answer.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { BatchEntry } from '../wire/command-wire.ts'
import type { OutgoingCommand } from './http-commands.ts'
import { OperationRejected } from './operation-errors.ts'
import type { KeptReport, ReportSpool } from './report-spool.ts'

export interface ReportParts {
  readonly send: (outgoing: OutgoingCommand) => Promise<CommandResult>
  readonly log: WarningLog
  readonly spool?: ReportSpool
}

const LAST_WORDS: ReadonlySet<unknown> = new Set([
  'CompleteOperation',
  'FailOperation',
  'CancelOperation',
  'RetryAttempt',
  'MarkRetired',
])

/** A worker's word that ends its attempt. */
export function isReport({ type, leaseEpoch }: Readonly<Record<string, unknown>>): boolean {
  return LAST_WORDS.has(type) && leaseEpoch !== undefined
}

export class Reports {
  readonly #parts: ReportParts
  readonly #undelivered = new Map<string, KeptReport>()
  #kept: ReadonlySet<string> = new Set()

  constructor(parts: ReportParts) {
    this.#parts = parts
  }

  /** Answers when the server has answered, however long that takes. Rejects when the connection is closed. */
  async deliver(registry: RegistryAddress, entry: BatchEntry & { readonly commandId: string }): Promise<CommandResult> {
    const { send } = this.#parts
    const { commandId, command } = entry
    const report: KeptReport = { commandId, registry, command }
    this.#undelivered.set(commandId, report)
    let keeping: Promise<void> | undefined
    const onDelay = () => {
      keeping ??= this.#keep(report)
    }
    if (this.#kept.has(commandId)) keeping = Promise.resolve()
    const result = await send({ registry, entry, giveUpAt: Number.POSITIVE_INFINITY, onDelay })
    this.#undelivered.delete(commandId)
    if (keeping !== undefined) void keeping.then(() => this.#remove(report))
    return result
  }

  /** Sends what an earlier process could not. Never rejects. */
  async deliverKept(): Promise<void> {
    const { spool, log } = this.#parts
    if (spool === undefined) return
    try {
      const reports = await spool.load()
      this.#kept = new Set(reports.map(({ commandId }) => commandId))
      await Promise.all(reports.map((report) => this.#deliverKept(report)))
    } catch (error) {
      log.warn({ error: String(error) }, 'the spool of reports could not be read')
    }
  }

  /** Says of each that is given up that it is. */
  close(): void {
    const { log, spool } = this.#parts
    for (const { commandId, registry, command } of this.#undelivered.values()) {
      const facts = { ...registry, operationId: command.id, command: command.type, commandId }
      const then = spool === undefined ? 'it is lost with this process' : 'it is kept on disk, for the next connection'
      log.warn(facts, `a worker's last word could not be delivered: ${then}`)
    }
  }

  async #deliverKept({ registry, commandId, command }: KeptReport): Promise<void> {
    const { workspace, owner } = registry
    const what = { ...registry, operationId: command.id, command: command.type, commandId }
    try {
      // What is in the spool was JSON when it was kept.
      const entry = { workspace, owner, commandId, command: command as BatchEntry['command'] }
      const result = await this.deliver(registry, entry)
      if (result.type === 'refused' && result.rejection.idempotent !== true) {
        this.#parts.log.warn({ ...what, code: result.rejection.code }, 'a kept report was refused')
      }
    } catch (error) {
      if (!(error instanceof OperationRejected)) throw error
    }
  }

  async #keep(report: KeptReport): Promise<void> {
    const { spool, log } = this.#parts
    try {
      await spool?.keep(report)
    } catch (error) {
      const { commandId, registry, command } = report
      log.warn(
        { ...registry, operationId: command.id, commandId, error: String(error) },
        'a report could not be kept on disk',
      )
    }
  }

  async #remove({ commandId }: KeptReport): Promise<void> {
    try {
      await this.#parts.spool?.remove(commandId)
    } catch (error) {
      this.#parts.log.warn({ commandId, error: String(error) }, 'a report that was delivered is still in the spool')
    }
  }
}
