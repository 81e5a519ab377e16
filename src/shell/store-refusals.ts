/** What a caller is told when the log or this node refuses: named, with whether the same command may be sent again. */
import type { Command } from '../authority/commands.ts'
import type { Rejection, RejectionCode } from '../authority/rejections.ts'
import type { LogError, RefusalReason } from '../event-store/event-store.ts'
import { RegistryStopped } from './registry-loader.ts'

export interface NodeRefusal {
  readonly code: RejectionCode
  readonly message: string
  readonly isRetryable: boolean
  readonly facts?: Readonly<Record<string, unknown>>
}

/** `why` is what the log said last, where it said anything. */
export function outcomeUnknown(why?: string): NodeRefusal {
  const said = why === undefined ? '' : ` (${why})`
  return {
    code: 'outcome_unknown',
    message: `nobody knows yet whether it was stored${said}: send it again under the same command id`,
    isRetryable: true,
  }
}
/** Decided, or to be decided, on top of an append of which nobody knows. */
export const NOT_STORED: NodeRefusal = {
  code: 'store_unavailable',
  message: 'the log does not say what became of the append before; this sending was not stored',
  isRetryable: true,
}
export const OVERLOADED: NodeRefusal = {
  code: 'overloaded',
  message: 'too many commands wait for this registry: try again',
  isRetryable: true,
}
export const SHUTTING_DOWN: NodeRefusal = {
  code: 'shutting_down',
  message: 'this node is shutting down',
  isRetryable: false,
}

/** A defect of this program, told in its log. What was decided before and comes after is not touched by it. */
export const INTERNAL_ERROR: NodeRefusal = {
  code: 'internal_error',
  message:
    'this node could not decide it, which is a defect of Verdict; nothing of this sending was stored, and the log tells more',
  isRetryable: false,
}

/** More than one append takes, and a command is never cut in two. */
export function appendTooLarge(
  { bytes, bytesMax }: { readonly bytes: number; readonly bytesMax: number },
  { type }: Command,
  active: number,
): NodeRefusal {
  const wayOut =
    type === 'TerminateOwner' || type === 'RetireOwner'
      ? `the ${active} active operations end in one event, or not at all: end some of them one by one first (CancelOperation), and send it again`
      : 'say less in it'
  const message = `its events take ${bytes} bytes, and one append at most ${bytesMax}: ${wayOut}`
  return { code: 'append_too_large', message, isRetryable: false, facts: { bytes, bytesMax } }
}

export function contention(conflictsMax: number): NodeRefusal {
  const message = `lost ${conflictsMax} races for the next revision: try again`
  return { code: 'contention', message, isRetryable: true }
}

/** The registry can't be read: for good, or for the moment. */
export function unreadable(failure: RegistryStopped | LogError): NodeRefusal {
  return failure instanceof RegistryStopped
    ? { code: 'registry_stopped', message: failure.message, isRetryable: false }
    : { code: 'store_unavailable', message: failure.message, isRetryable: true }
}

export function nodeRejection(command: Command, { code, message, isRetryable, facts: more }: NodeRefusal): Rejection {
  const operationId = 'id' in command && command.id !== undefined ? { operationId: command.id } : undefined
  const facts = { command: command.type, ...operationId, ...more, retryable: isRetryable }
  return { code, message: `${command.type} refused: ${message}`, facts }
}

/** The log certainly did not store it. */
export function refusedByLog(reason: RefusalReason, message: string): NodeRefusal {
  return { ...REFUSALS[reason], message }
}

const REFUSALS: Readonly<Record<RefusalReason, Omit<NodeRefusal, 'message'>>> = {
  full: { code: 'store_full', isRetryable: true },
  too_large: { code: 'append_too_large', isRetryable: false },
  read_only: { code: 'store_read_only', isRetryable: true },
  busy: { code: 'store_busy', isRetryable: true },
  closed: { code: 'shutting_down', isRetryable: false },
  damaged: { code: 'store_unavailable', isRetryable: false },
  unavailable: { code: 'store_unavailable', isRetryable: true },
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
