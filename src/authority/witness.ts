/**
 * What whoever judges may ask the queue underneath about one operation, and what the queue may say (lifecycle.md, section 9).
 * Data alone: a witness is any function from the question to a promise of the report; how long it is waited for is the
 * asker's business.
 */
import type { OperationError, WitnessAnswer } from './events.ts'
import type { JsonValue } from './json-value.ts'

export interface WitnessQuestion {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly number: number
  readonly attempt: number
  readonly kind: string
}

/**
 * `waiting` and `active` are signs of life: a queue says `active` only of a job whose worker it knows to be there. `unknown`
 * is the honest answer to everything else, the queue being out of reach included.
 */
export type WitnessReport =
  | { readonly answer: Exclude<WitnessAnswer, 'completed' | 'failed'> }
  | { readonly answer: 'completed'; readonly result: JsonValue }
  | { readonly answer: 'failed'; readonly error: OperationError }
