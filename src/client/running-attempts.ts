/** The functions that run in this process, each under its lease: begun once per lease, stopped together. */
import { type Clock, sleep } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { CommandSender } from './command-sender.ts'
import type { Lease } from './lease.ts'
import { OperationHandle } from './operation-handle.ts'
import { type AttemptFunction, runAttempt } from './operation-runner.ts'
import { retriedCall } from './retried-call.ts'

interface Running {
  readonly lease: Lease
  readonly ended: Promise<void>
}

export interface RunOptions<I, R> {
  readonly input: I
  readonly run: AttemptFunction<I, R>
  /** Aborting it stops the function and requests a cancel. */
  readonly signal: AbortSignal | undefined
}

export class RunningAttempts {
  readonly #clock: Clock
  readonly #log: WarningLog
  readonly #running = new Map<string, Running>()
  readonly #closed = new AbortController()

  constructor(clock: Clock, log: WarningLog) {
    this.#clock = clock
    this.#log = log
  }

  /** A registration that is sent again under its command id gets the same lease, and one function is enough for that. */
  run<I, R>(sender: CommandSender, lease: Lease, { input, run, signal }: RunOptions<I, R>): void {
    const { workspace, owner } = sender.registry
    const key = JSON.stringify([workspace, owner, lease.leaseEpoch])
    if (this.#running.has(key)) {
      lease[Symbol.dispose]()
      return
    }
    const cancel = () => this.#cancel(sender, lease, signal?.reason)
    signal?.addEventListener('abort', cancel, { once: true })
    if (signal?.aborted) cancel()
    const parts = { clock: this.#clock, log: this.#log, closed: this.#closed.signal }
    const ended = runAttempt(lease, input, run, parts).finally(() => {
      signal?.removeEventListener('abort', cancel)
      this.#running.delete(key)
    })
    this.#running.set(key, { lease, ended })
  }

  /** Aborts them all, and waits for what they report, so long at most. After that nothing is reported any more. */
  async close(graceMs: number): Promise<void> {
    const running = [...this.#running.values()]
    for (const { lease } of running) lease.abort('shutdown')
    if (running.length > 0) {
      const stop = new AbortController()
      const grace = sleep(this.#clock, graceMs, stop.signal).catch(() => {})
      await Promise.race([Promise.all(running.map(({ ended }) => ended)), grace])
      stop.abort()
    }
    for (const { lease } of this.#running.values()) {
      const { id: operationId, leaseEpoch } = lease
      this.#log.warn({ operationId, leaseEpoch }, 'still ran when this process closed: its end will not be reported')
    }
    this.#closed.abort()
  }

  /** The function is stopped whether or not the request gets through; what it then reports ends the operation anyway. */
  #cancel(sender: CommandSender, lease: Lease, reason: unknown): void {
    const handle = new OperationHandle(sender, lease.id)
    const options = {
      commandId: sender.newCommandId(),
      reason: reason instanceof Error ? reason.message : String(reason),
    }
    const parts = { clock: this.#clock, log: this.#log, closed: this.#closed.signal }
    retriedCall(parts, { operationId: lease.id }, () => handle.cancel(options)).catch((error: unknown) => {
      this.#log.warn(
        { operationId: lease.id, error: String(error) },
        'the cancel of an operation could not be requested',
      )
    })
    lease.abort('cancel_requested')
  }
}
