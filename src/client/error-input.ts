/** Errors of JavaScript as they are stored with an operation: message, code, details. Never a stack. */
import type { OperationError } from '../authority/events.ts'

/** What callers may hand in as an error. */
export type ErrorInput = OperationError | Error | string

const CODE_CHARACTERS_MAX = 128
const MESSAGE_CHARACTERS_MAX = 1_024

/** Of anything that was thrown. `code` and `details` of the error are kept, where they are there. */
export function errorOf(thrown: unknown): OperationError {
  if (typeof thrown !== 'object' || thrown === null) return { message: String(thrown) }
  const { message, name, code, details } = thrown as Readonly<Record<string, unknown>>
  const text =
    typeof message === 'string' && message !== '' ? message : typeof name === 'string' ? name : 'unknown error'
  return {
    message: text,
    ...(typeof code === 'string' && code !== '' ? { code: code.slice(0, CODE_CHARACTERS_MAX) } : {}),
    // Whether it is JSON is for the border to say.
    ...(details === undefined ? {} : { details: details as NonNullable<OperationError['details']> }),
  }
}

/** The same error in a form that is always storable. */
export function bareErrorOf({ message, code }: OperationError): OperationError {
  return { message: message.slice(0, MESSAGE_CHARACTERS_MAX), ...(code === undefined ? {} : { code }) }
}

/** Refusals of what is too much, or not JSON: the bare error is not refused so. */
export const UNSTORABLE: ReadonlySet<string> = new Set([
  'invalid_command',
  'unsafe_number',
  'content_too_large',
  'append_too_large',
])
