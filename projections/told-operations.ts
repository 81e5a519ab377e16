/** One operation by its id: how the index tells of it, also when retention hides it, and where its story stands in the log. */
import type { ListedOperation } from '../src/authority/monitoring.ts'
import type { Moment } from './operation-freshness.ts'
import { STORIES, storyAsked } from './operation-history.ts'
import { OPERATIONS } from './operation-index.ts'
import { operationAsked } from './operation-questions.ts'
import type { ReadSession } from './read-session.ts'

export interface ToldOperation {
  readonly operation: ListedOperation
  /** In no list any more. */
  readonly isHidden: boolean
}

/** Undefined for one that the index does not hold. */
export function toldAsked(
  session: ReadSession,
  question: Moment & { readonly stream: string; readonly number: number },
): ToldOperation | undefined {
  const operation = operationAsked(session, question)
  if (operation === undefined) return undefined
  const row = session.get<{ readonly marked_at: number | null }>(
    `SELECT marked_at FROM ${session.table(OPERATIONS)} WHERE stream = ? AND number = ?`,
    [question.stream, question.number],
  )
  return { operation, isHidden: row?.marked_at !== null }
}

export interface FoundStory {
  readonly number: number
  /** Ascending. */
  readonly revisions: readonly number[]
  readonly hasMore: boolean
}

/** The story of this number, or of the newest life of an id; undefined where none is held. Throws QuestionError. */
export function storyFound(
  session: ReadSession,
  question: {
    readonly stream: string
    readonly id: string
    readonly number: number | undefined
    readonly after: number
    readonly limit: number
  },
): FoundStory | undefined {
  const { stream, id, number: wanted, after, limit } = question
  const row = session.get<{ readonly number: number }>(
    `SELECT number FROM ${session.table(STORIES)}
     WHERE id = ? AND stream = ? AND number = coalesce(?, number) ORDER BY number DESC LIMIT 1`,
    [id, stream, wanted ?? null],
  )
  if (row === undefined) return undefined
  const { number } = row
  const revisions = storyAsked(session, { stream, number, after, limit })
  const last = revisions.length === limit ? revisions.at(-1) : undefined
  const hasMore = last !== undefined && storyAsked(session, { stream, number, after: last, limit: 1 }).length > 0
  return { number, revisions, hasMore }
}
