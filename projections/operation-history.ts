/**
 * Read model: where in the log one operation's story stands. It keeps revisions, not events; who wants the story reads them
 * from the log. Signs of life are left out: one event carries those of thousands, and the last one stands in the index.
 *
 * A story grows in parts of a fixed size, so that an operation with a hundred thousand reports costs no more per event than
 * one with ten.
 */
import { STORY_PAGE_MAX } from '../src/authority/monitoring.ts'
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import type { ProjectedEvent, Projection, ProjectionTable } from './projection.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

/** An operation's story so far. */
export interface StoryRow {
  readonly stream: string
  readonly number: number
  readonly id: string
  readonly events: number
  readonly lastPosition: bigint
  /** Of its first events, ascending; at most PART_EVENTS. */
  readonly revisions: readonly number[]
}

/** What does not fit into the story's own row. */
export interface StoryPartRow {
  readonly stream: string
  readonly number: number
  /** From 1. */
  readonly part: number
  /** Ascending; at most PART_EVENTS. */
  readonly revisions: readonly number[]
}

export const PART_EVENTS = 64

export const STORIES: ProjectionTable<StoryRow> = {
  name: 'operation-stories',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'id', type: 'text' },
    { name: 'events', type: 'integer' },
    { name: 'last_position', type: 'bigint' },
    { name: 'revisions', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [{ name: 'by_id', columns: ['id', 'stream', 'number'] }],
  write: ({ stream, number, id, events, lastPosition, revisions }) => [
    stream,
    number,
    id,
    events,
    lastPosition,
    JSON.stringify(revisions),
  ],
  read: ([stream, number, id, events, lastPosition, revisions]) => ({
    stream: String(stream),
    number: Number(number),
    id: String(id),
    events: Number(events),
    lastPosition: lastPosition as bigint, // its column is one of bigints
    revisions: JSON.parse(String(revisions)),
  }),
  targets: (event) => numbersIn(event).map((number) => [event.stream, number]),
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, { event, stream, revision, position }) => {
    if (event.type === 'OperationRegistered') {
      const { id } = event.facts
      return { stream, number: revision, id, events: 1, lastPosition: position, revisions: [revision] }
    }
    // A late report of one that retention has deleted.
    if (row === undefined && event.type === 'ContradictionRecorded') return undefined
    if (row === undefined) throw new Error(`the story of an operation in ${stream} begins with ${event.type}`)
    const { events, revisions } = row
    const isFull = events >= PART_EVENTS
    return {
      ...row,
      events: events + 1,
      lastPosition: position,
      revisions: isFull ? revisions : [...revisions, revision],
    }
  },
}

export const PARTS: ProjectionTable<StoryPartRow> = {
  name: 'operation-story-parts',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'part', type: 'integer' },
    { name: 'revisions', type: 'text' },
  ],
  key: ['stream', 'number', 'part'],
  indexes: [],
  write: ({ stream, number, part, revisions }) => [stream, number, part, JSON.stringify(revisions)],
  read: ([stream, number, part, revisions]) => ({
    stream: String(stream),
    number: Number(number),
    part: Number(part),
    revisions: JSON.parse(String(revisions)),
  }),
  targets: (event, before) =>
    numbersIn(event).flatMap((number) => {
      if (event.event.type === 'OperationRegistered') return []
      const events = before.row(STORIES, [event.stream, number])?.events ?? 0
      return events < PART_EVENTS ? [] : [[event.stream, number, Math.floor(events / PART_EVENTS)]]
    }),
  ends: lifeEnds,
  evolve: (row, { stream, revision }, _before, key) => {
    const [, number, part] = key as readonly [string, number, number] // as `targets` gave it
    return { stream, number, part, revisions: [...(row?.revisions ?? []), revision] }
  },
}

export const OPERATION_HISTORY: Projection = {
  name: 'operation-history',
  version: 2,
  // Parts look at stories as they were before the event.
  tables: [STORIES, PARTS],
  unknownEvents: 'skip',
}

function numbersIn(recorded: ProjectedEvent): readonly number[] {
  return recorded.event.type === 'SignsOfLifeRecorded' ? [] : livesTouchedBy(recorded)
}

export interface StoryQuestion {
  readonly stream: string
  readonly number: number
  /** Only events above this revision. */
  readonly after?: number
  /** Default and most: STORY_PAGE_MAX. */
  readonly limit?: number
}

/** Revisions of one operation's story, ascending; empty for one that is not known. Throws QuestionError. */
export function storyAsked(session: ReadSession, question: StoryQuestion): readonly number[] {
  const { stream, number, after = -1, limit = STORY_PAGE_MAX } = question
  if (!Number.isInteger(limit) || limit < 1 || limit > STORY_PAGE_MAX) {
    throw new QuestionError('page_out_of_bounds', `a page of a story has 1 to ${STORY_PAGE_MAX} events, got ${limit}`)
  }
  const revisions: number[] = []
  const parts = session.all<{ readonly revisions: string }>(
    `SELECT revisions, 0 AS part FROM ${session.table(STORIES)} WHERE stream = ? AND number = ?
     UNION ALL SELECT revisions, part FROM ${session.table(PARTS)} WHERE stream = ? AND number = ? ORDER BY part`,
    [stream, number, stream, number],
  )
  for (const part of parts) {
    for (const revision of JSON.parse(part.revisions) as readonly number[]) {
      if (revision > after) revisions.push(revision)
      if (revisions.length === limit) return revisions
    }
  }
  return revisions
}
