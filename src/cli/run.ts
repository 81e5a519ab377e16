/**
 * `verdict run`: a command line as an operation.
 *
 *     register and claim -> start the command -> heartbeats, progress -> its end -> the operation's outcome
 *     SIGINT, SIGTERM, SIGHUP -> cancel requested, group gets SIGTERM -> grace -> SIGKILL -> cancelled
 *
 * Fails closed: what can't be registered is not started. Once the command runs, nothing about the log stops it.
 */
import { mkdirSync } from 'node:fs'
import { constants, hostname } from 'node:os'
import type { OperationHandle } from '../client/operation-handle.ts'
import type { Attempt } from '../client/operation-runner.ts'
import type { Verdict } from '../client/verdict.ts'
import { CommandFailed } from './command-failed.ts'
import { type CommandEnd, type CommandProcess, exitCodeOf, startCommand } from './command-process.ts'
import { EXIT_OURS, EXIT_SIGNAL } from './exit-codes.ts'
import { OutputProgress } from './output-progress.ts'
import { connectTo } from './reached-server.ts'
import { RUN_HELP, type RunOptions, runOptionsOf } from './run-options.ts'

/** After the command has ended the log is waited for, so long at most. */
const REPORT_WAIT_MS = 60_000

export async function run(args: readonly string[]): Promise<number> {
  const options = runOptionsOf(args)
  if (options === undefined) {
    process.stdout.write(RUN_HELP)
    return 0
  }
  const running = new RunningCommand(options)
  const stopListening = onInterrupt((signal) => running.interrupt(signal))
  let verdict: Verdict | undefined
  try {
    verdict = await opened(options)
    const handle = await running.begin(verdict)
    await running.finished(handle)
    return running.exitCode
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return EXIT_OURS
  } finally {
    await verdict?.close()
    stopListening()
  }
}

async function opened({ place, workspace, owner }: RunOptions): Promise<Verdict> {
  const worker = { host: hostname(), pid: process.pid }
  const defaults = { workspace, owner, worker, log: { warn: (_facts: unknown, message: string) => say(message) } }
  if (place.type === 'server') return connectTo(place, defaults)
  const { location, folder } = place.store
  if (folder !== undefined) mkdirSync(folder, { recursive: true })
  // A command that lasts a second need not look after all others, and asks nothing of them.
  const alone = { reconciler: false, readModels: { follow: 'when_asked' } } as const
  const { openVerdict } = await import('../app.ts')
  return openVerdict(location, { ...defaults, ...alone, actor: 'verdict run' })
}

class RunningCommand {
  readonly #options: RunOptions
  readonly #cancel = new AbortController()
  readonly #stopWaiting = new AbortController()
  #process: CommandProcess | undefined
  #end: CommandEnd | undefined
  #interrupt: NodeJS.Signals | undefined
  readonly #over = Promise.withResolvers<void>()

  constructor(options: RunOptions) {
    this.#options = options
  }

  /** The first one asks for a cancel, the next one kills; when the command has ended, it ends the wait for the log. */
  interrupt(signal: NodeJS.Signals): void {
    const isFirst = this.#interrupt === undefined
    this.#interrupt ??= signal
    if (this.#end !== undefined) this.#stopWaiting.abort()
    else if (isFirst) this.#cancel.abort(new Error(`interrupted by ${signal}`))
    else this.#process?.stop()
  }

  begin(verdict: Verdict): Promise<OperationHandle> {
    const { kind, name, id, labels, staleAfterMs, maxRuntimeMs, cancelGraceMs, maxConcurrent, command, commandArgs } =
      this.#options
    return verdict.start(
      kind,
      {
        name,
        labels,
        input: { command: [command, ...commandArgs] },
        policy: {
          staleAfter: staleAfterMs,
          cancelGrace: cancelGraceMs,
          ...(maxRuntimeMs === undefined ? {} : { maxRuntime: maxRuntimeMs }),
        },
        signal: this.#cancel.signal,
        ...(id === undefined ? {} : { id }),
        ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
      },
      (attempt) => this.#run(attempt),
    )
  }

  /** Ends when the command has ended and the log has the outcome, or can't be waited for any longer. */
  async finished(handle: OperationHandle): Promise<void> {
    const { verbose } = this.#options
    if (verbose) say(`operation ${handle.id} began`)
    await this.#over.promise
    const reportTimer = setTimeout(() => this.#stopWaiting.abort(), REPORT_WAIT_MS)
    try {
      const outcome = await handle.outcome({ signal: this.#stopWaiting.signal })
      if (verbose) say(`operation ${handle.id} ${outcome.status}`)
    } catch (error) {
      if (!this.#stopWaiting.signal.aborted) throw error
      say(`the log did not take the end of operation ${handle.id}; it will be found stale`)
    } finally {
      clearTimeout(reportTimer)
    }
  }

  get exitCode(): number {
    if (this.#end !== undefined) return exitCodeOf(this.#end)
    return this.#interrupt === undefined ? EXIT_OURS : EXIT_SIGNAL + constants.signals[this.#interrupt]
  }

  async #run(attempt: Attempt<unknown>): Promise<{ readonly exitCode: number }> {
    try {
      return await this.#runCommand(attempt)
    } finally {
      this.#over.resolve()
    }
  }

  async #runCommand({ signal, progress }: Attempt<unknown>): Promise<{ readonly exitCode: number }> {
    signal.throwIfAborted()
    const { command, commandArgs } = this.#options
    const lines = { stdout: new OutputProgress(progress), stderr: new OutputProgress(progress) }
    const started = startCommand(command, commandArgs, {
      stdin: 'inherit',
      stdout: process.stdout,
      stderr: process.stderr,
      onOutput: (stream, bytes) => lines[stream].take(bytes),
      graceMs: this.#options.cancelGraceMs,
    })
    this.#process = started
    signal.addEventListener('abort', () => started.stop(), { once: true })
    const end = await started.ended
    this.#end = end
    lines.stdout.end()
    lines.stderr.end()
    if (end.type === 'not_started') say(`${command} can't be run: ${end.message}`)
    else if (end.wasStopped) throw signal.reason
    if (end.type === 'exited' && end.exitCode === 0) return { exitCode: 0 }
    throw new CommandFailed(command, end)
  }
}

const INTERRUPTS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

function onInterrupt(listener: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of INTERRUPTS) process.on(signal, listener)
  return () => {
    for (const signal of INTERRUPTS) process.off(signal, listener)
  }
}

function say(message: string): void {
  process.stderr.write(`verdict: ${message}\n`)
}
