/** What the events that end operations tell: the outcome of one, the numbers of many. */
import type { EventOf, LifecycleEvent } from './events.ts'
import type { Outcome } from './operation.ts'

/** An event that ends one operation. */
export type TerminalEvent = EventOf<
  'OperationCompleted' | 'OperationFailed' | 'OperationCancelled' | 'OperationAborted' | 'OperationRetired'
>

/** The outcome that one stored event tells of each operation that it ends; undefined when it ends none. */
export function outcomeIn(event: LifecycleEvent): Outcome | undefined {
  switch (event.type) {
    case 'OperationCompleted':
    case 'OperationFailed':
    case 'OperationCancelled':
    case 'OperationAborted':
    case 'OperationRetired':
      return outcomeOf(event)
    case 'OwnerTerminated':
      return { status: 'terminated', reason: event.content.reason }
    default:
      return undefined
  }
}

export function outcomeOf(event: TerminalEvent): Outcome {
  switch (event.type) {
    case 'OperationCompleted': {
      const { result } = event.content
      return { status: 'completed', result, ...reconciliationOf(event.facts) }
    }
    case 'OperationFailed': {
      const { reasonCode } = event.facts
      return {
        status: 'failed',
        error: event.content.error,
        ...(reasonCode === undefined ? {} : { reasonCode }),
        ...reconciliationOf(event.facts),
      }
    }
    case 'OperationCancelled':
      return { status: 'cancelled', ...reasonOf(event.content), ...reconciliationOf(event.facts) }
    case 'OperationAborted':
      return { status: 'aborted', ...reasonOf(event.content) }
    case 'OperationRetired':
      return { status: 'retired', ...reasonOf(event.content) }
    default:
      return event satisfies never
  }
}

/** The numbers that an OwnerTerminated names: stored as the first, then differences. */
export function numbersOf(event: EventOf<'OwnerTerminated'>): readonly number[] {
  let number = 0
  return event.facts.numbers.map((difference) => {
    number += difference
    return number
  })
}

function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason }
}

function reconciliationOf({ reconciliation }: EventOf<'OperationCompleted'>['facts']): {
  readonly reconciliation?: NonNullable<typeof reconciliation>
} {
  return reconciliation === undefined ? {} : { reconciliation }
}
