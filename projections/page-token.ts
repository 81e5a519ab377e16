/**
 * Where a page ended, as text that callers hand back unread. It names the log and its timeline, and the question that it belongs
 * to: one of another log, from before a restore or of other filters is refused and never silently misread.
 */
import { createHash } from 'node:crypto'
import type { Checkpoint } from './checkpoint.ts'
import { QuestionError } from './question-error.ts'

/** The values of the sort's columns in one row. */
export interface Place {
  readonly value: number | string
  readonly position: bigint
}

export interface PageMark {
  /** The first row of the first page: what stands before it now is newer than the pages. */
  readonly top: Place
  readonly last: Place
}

const VERSION = 1
/** Of 64 bits, one of which is the sign. */
const POSITION_MAX = 2n ** 63n - 1n

/** `question`: anything that JSON tells apart; the same question gives the same token for the same place. */
export function pageToken(mark: PageMark, question: unknown, log: Checkpoint): string {
  const parts = [VERSION, log.logId, log.timeline, digestOf(question), ...textOf(mark.top), ...textOf(mark.last)]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** Throws QuestionError for what is no token of this question and this log. */
export function markOf(token: string, question: unknown, log: Checkpoint): PageMark {
  const [version, logId, timeline, digest, ...places] = partsOf(token)
  if (version !== VERSION) throw refused('is none of this version')
  if (logId !== log.logId) throw refused('belongs to another log')
  if (timeline !== log.timeline) throw refused('was given before the log was restored')
  if (digest !== digestOf(question)) throw refused('belongs to another filter or sort')
  const [topValue, topPosition, lastValue, lastPosition] = places
  return { top: placeOf(topValue, topPosition), last: placeOf(lastValue, lastPosition) }
}

function partsOf(token: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === 8) return parts
  } catch {
    // Told below like everything else that is no token.
  }
  throw refused('is no page token')
}

function textOf({ value, position }: Place): readonly [number | string, string] {
  return [value, String(position)]
}

function placeOf(value: unknown, position: unknown): Place {
  const isPlace =
    (typeof value === 'number' || typeof value === 'string') &&
    typeof position === 'string' &&
    /^\d{1,19}$/.test(position) &&
    BigInt(position) <= POSITION_MAX
  if (!isPlace) throw refused('is no page token')
  return { value, position: BigInt(position) }
}

function digestOf(question: unknown): string {
  return createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 16)
}

function refused(why: string): QuestionError {
  return new QuestionError('bad_page_token', `the page token ${why}: ask for the first page again`)
}
