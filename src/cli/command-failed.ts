/** How a command ended that did not do what it was run for; code and details become those of the operation's error. */
import type { CommandEnd } from './command-process.ts'

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  /** exit_3, signal_SIGKILL, not_started. */
  readonly code: string
  readonly details: { readonly [fact: string]: string | number }

  constructor(command: string, end: CommandEnd) {
    const { message, code, details } = toldOf(command, end)
    super(message)
    this.code = code
    this.details = details
  }
}

function toldOf(command: string, end: CommandEnd): Pick<CommandFailed, 'message' | 'code' | 'details'> {
  switch (end.type) {
    case 'exited': {
      const { exitCode } = end
      return { message: `${command} exited with ${exitCode}`, code: `exit_${exitCode}`, details: { exitCode } }
    }
    case 'signalled': {
      const { signal } = end
      return { message: `${command} was ended by ${signal}`, code: `signal_${signal}`, details: { signal } }
    }
    case 'not_started':
      return { message: `${command} can't be run: ${end.message}`, code: 'not_started', details: { errno: end.code } }
    default:
      return end satisfies never
  }
}
