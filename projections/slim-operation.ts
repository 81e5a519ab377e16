/**
 * An operation without what only its story tells: payloads, which may be large and which no list, filter or judgement looks
 * at. What stays is enough to fold its life on, to judge it and to show it in a list.
 */
import type { Operation, Outcome } from '../src/authority/operation.ts'

/** Characters of a message that a list shows; the story has the whole of it. */
const MESSAGE_LENGTH_MAX = 512

/** `peer` is kept as being there, results are null, errors keep code and the beginning of their message. */
export function slimOperation(operation: Operation): Operation {
  if (isSlim(operation)) return operation
  const { input: _input, lastError, peer, outcome, phases, ...rest } = operation
  return {
    ...rest,
    phases: phases.map(({ result, error, ...phase }) => ({
      ...phase,
      ...(result === undefined ? {} : { result: null }),
      ...(error === undefined ? {} : { error: slimError(error) }),
    })),
    ...(peer === undefined ? {} : { peer: null }),
    ...(lastError === undefined ? {} : { lastError: slimError(lastError) }),
    ...(outcome === undefined ? {} : { outcome: slimOutcome(outcome) }),
  }
}

/** Most events bring no payload. */
function isSlim({ input, lastError, peer, outcome, phases }: Operation): boolean {
  return (
    input === undefined &&
    lastError === undefined &&
    (peer === undefined || peer === null) &&
    (outcome === undefined || (outcome.status === 'completed' && outcome.result === null)) &&
    phases.length === 0
  )
}

function slimOutcome(outcome: Outcome): Outcome {
  switch (outcome.status) {
    case 'completed':
      return { ...outcome, result: null }
    case 'failed':
      return { ...outcome, error: slimError(outcome.error) }
    case 'terminated':
      return { ...outcome, reason: shortened(outcome.reason) }
    default:
      return outcome.reason === undefined ? outcome : { ...outcome, reason: shortened(outcome.reason) }
  }
}

function slimError({ message, code }: { readonly message: string; readonly code?: string }) {
  return { message: shortened(message), ...(code === undefined ? {} : { code }) }
}

function shortened(text: string): string {
  if (text.length <= MESSAGE_LENGTH_MAX) return text
  // Cut between characters: half of one has no UTF-8.
  return `${text
    .slice(0, MESSAGE_LENGTH_MAX - 1)
    .toWellFormed()
    .replace(/\uFFFD$/, '')}…`
}
