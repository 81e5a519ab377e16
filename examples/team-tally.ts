import { type Projection, type ProjectionTable, QuestionError, type ReadSession } from '../src/projections.ts' // 'verdict/projections'

interface Member {
  readonly stream: string
  readonly number: number
  readonly team: string
}

/** Which team an operation that is under way belongs to: only its registration says so. */
const MEMBERS: ProjectionTable<Member> = {
  name: 'team-members',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'team', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [],
  write: ({ stream, number, team }) => [stream, number, team],
  read: ([stream, number, team]) => ({ stream: String(stream), number: Number(number), team: String(team) }),
  targets: ({ event, stream, revision }) => {
    if (event.type === 'OperationRegistered')
      return event.content.labels?.team === undefined ? [] : [[stream, revision]]
    return isEnd(event.type) && 'number' in event.facts ? [[stream, event.facts.number]] : []
  },
  evolve: (_row, { event, stream, revision }) =>
    event.type === 'OperationRegistered' && event.content.labels?.team !== undefined
      ? { stream, number: revision, team: event.content.labels.team }
      : undefined,
}

export interface Tally {
  readonly team: string
  readonly registered: number
  readonly completed: number
  readonly failed: number
}

export const TALLIES: ProjectionTable<Tally> = {
  name: 'team-tallies',
  columns: [
    { name: 'team', type: 'text' },
    { name: 'registered', type: 'integer' },
    { name: 'completed', type: 'integer' },
    { name: 'failed', type: 'integer' },
  ],
  key: ['team'],
  indexes: [{ name: 'failing', columns: ['failed desc'] }],
  write: ({ team, registered, completed, failed }) => [team, registered, completed, failed],
  read: ([team, registered, completed, failed]) => ({
    team: String(team),
    registered: Number(registered),
    completed: Number(completed),
    failed: Number(failed),
  }),
  // Rows as they were before the event: of an operation that ends now, its team is still known.
  targets: ({ event, stream }, before) => {
    if (event.type === 'OperationRegistered')
      return event.content.labels?.team === undefined ? [] : [[event.content.labels.team]]
    if (!isEnd(event.type) || !('number' in event.facts)) return []
    const member = before.row(MEMBERS, [stream, event.facts.number])
    return member === undefined ? [] : [[member.team]]
  },
  evolve: (row, { event }, _before, [team]) => {
    const tally = row ?? { team: String(team), registered: 0, completed: 0, failed: 0 }
    switch (event.type) {
      case 'OperationRegistered':
        return { ...tally, registered: tally.registered + 1 }
      case 'OperationCompleted':
        return { ...tally, completed: tally.completed + 1 }
      case 'OperationFailed':
        return { ...tally, failed: tally.failed + 1 }
      default:
        return tally
    }
  },
}

function isEnd(type: string): boolean {
  return type === 'OperationCompleted' || type === 'OperationFailed'
}

/** Stored names, and a version: raise it whenever the same events would give other rows, and they are built anew. */
export const TEAM_TALLY: Projection = {
  name: 'team-tally',
  version: 1,
  tables: [MEMBERS, TALLIES],
  unknownEvents: 'skip',
}

/** A question: run beside the rows, over a connection that can't write, within one moment. */
export function teamsAsked(session: ReadSession, limit: number): readonly Tally[] {
  if (!(limit >= 1 && limit <= 100))
    throw new QuestionError('bad_limit', `1 to 100 teams are told at once, got ${limit}`)
  return session.all<Tally>(`SELECT * FROM ${session.table(TALLIES)} ORDER BY failed DESC, team LIMIT ?`, [limit])
}
