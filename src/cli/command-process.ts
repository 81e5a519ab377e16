/**
 * A command line as a child process in a group of its own: what it prints is passed on byte by byte, what it ends with is
 * told, and stopping it means its whole group: asked first (SIGTERM), then killed (SIGKILL).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_SIGNAL } from './exit-codes.ts'

export interface CommandProcess {
  readonly pid: number
  /** Ends when the command has ended and all that it printed was passed on. */
  readonly ended: Promise<CommandEnd>
  /** Asks the group to end, and kills what is left of it after the grace. Called again, it kills at once. */
  stop(): void
}

export type CommandEnd =
  | { readonly type: 'exited'; readonly exitCode: number; readonly wasStopped: boolean }
  | { readonly type: 'signalled'; readonly signal: NodeJS.Signals; readonly wasStopped: boolean }
  /** It never ran. */
  | { readonly type: 'not_started'; readonly code: string; readonly message: string }

export interface CommandOptions {
  readonly stdin: 'inherit' | 'ignore' | 'pipe'
  readonly stdout: Writable
  readonly stderr: Writable
  /** Told of the bytes of either stream as they pass. */
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => void
  readonly graceMs: number
}

/** Starts a command. What can't be started ends as `not_started`; this never throws. */
export function startCommand(command: string, args: readonly string[], options: CommandOptions): CommandProcess {
  const { stdin, graceMs } = options
  const child = spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'], detached: true })
  let isStopping = false
  let isOver = false
  let killTimer: NodeJS.Timeout | undefined
  pass(child.stdout, options.stdout, (bytes) => options.onOutput('stdout', bytes))
  pass(child.stderr, options.stderr, (bytes) => options.onOutput('stderr', bytes))
  const ended = endOf(child, () => isStopping).finally(() => {
    isOver = true
    clearTimeout(killTimer)
  })
  return {
    pid: child.pid ?? 0,
    ended,
    stop() {
      // Its number may be somebody else's by now.
      if (isOver) return
      signalGroup(child, isStopping ? 'SIGKILL' : 'SIGTERM')
      if (isStopping) return
      isStopping = true
      killTimer = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs)
    },
  }
}

/** The exit code that a shell would give. */
export function exitCodeOf(end: CommandEnd): number {
  switch (end.type) {
    case 'exited':
      return end.exitCode
    case 'signalled':
      return EXIT_SIGNAL + constants.signals[end.signal]
    case 'not_started':
      return end.code === 'ENOENT' ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE
    default:
      return end satisfies never
  }
}

function pass(from: Readable | null, to: Writable, onBytes: (bytes: Buffer) => void): void {
  if (from === null) return
  from.on('data', onBytes)
  from.pipe(to, { end: false })
  // Nobody reads any more: the command gets the broken pipe that it would have had without us.
  to.on('error', () => from.destroy())
}

function endOf(child: ChildProcess, wasStopped: () => boolean): Promise<CommandEnd> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined)
        resolve({ type: 'not_started', code: error.code ?? 'unknown', message: error.message })
    })
    child.once('close', (exitCode, signal) => {
      if (signal === null) resolve({ type: 'exited', exitCode: exitCode ?? 0, wasStopped: wasStopped() })
      else resolve({ type: 'signalled', signal, wasStopped: wasStopped() })
    })
  })
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // The group is gone already.
  }
}
