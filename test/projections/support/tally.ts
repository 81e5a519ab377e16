/** A projection as small as can be: how many operations of a kind were registered, and which names they had. */
import type { ProjectedEvent, Projection, ProjectionTable } from '../../../projections/projection.ts'

export interface Tally {
  readonly kind: string
  readonly registered: number
  readonly lastPosition: bigint
}

export const TALLIES: ProjectionTable<Tally> = {
  name: 'tallies',
  columns: [
    { name: 'kind', type: 'text' },
    { name: 'registered', type: 'integer' },
    { name: 'last_position', type: 'bigint' },
  ],
  key: ['kind'],
  indexes: [{ name: 'by_number', columns: ['registered DESC'] }],
  write: ({ kind, registered, lastPosition }) => [kind, registered, lastPosition],
  read: ([kind, registered, lastPosition]) => ({
    kind: kind as string,
    registered: registered as number,
    lastPosition: lastPosition as bigint,
  }),
  targets: ({ event }) => (event.type === 'OperationRegistered' ? [[event.facts.kind]] : []),
  evolve: (row, { position }, _before, [kind]) => {
    if (kind === 'poison') throw new Error('a poisonous kind')
    return { kind: String(kind), registered: (row?.registered ?? 0) + 1, lastPosition: position }
  },
}

/** Operations that are not rolled back; what they were called is looked up in the other table. */
export const NAMES: ProjectionTable<{ readonly stream: string; readonly number: number; readonly place: number }> = {
  name: 'tally-names',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'place', type: 'integer' },
  ],
  key: ['stream', 'number'],
  indexes: [],
  write: ({ stream, number, place }) => [stream, number, place],
  read: ([stream, number, place]) => ({ stream: String(stream), number: Number(number), place: Number(place) }),
  targets: ({ event, stream, revision }) => {
    if (event.type === 'OperationRegistered') return [[stream, revision]]
    return event.type === 'RegistrationRolledBack' ? [[stream, event.facts.number]] : []
  },
  evolve: (_row, { event, stream, revision }, before) =>
    event.type === 'OperationRegistered'
      ? { stream, number: revision, place: (before.row(TALLIES, [event.facts.kind])?.registered ?? 0) + 1 }
      : undefined,
}

export const TALLY: Projection = { name: 'tally', version: 1, tables: [TALLIES, NAMES], unknownEvents: 'skip' }

export function registered(
  position: number,
  kind: string,
  stream = 'registry-default/a',
  revision = position,
): ProjectedEvent {
  return {
    ...placeOf(position, stream, revision),
    event: {
      type: 'OperationRegistered',
      facts: {
        id: `id-${position}`,
        kind,
        kindFacts: { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null },
        policy: null,
      },
      content: {},
    },
  }
}

export function rolledBack(position: number, number: number, stream = 'registry-default/a'): ProjectedEvent {
  return {
    ...placeOf(position, stream, position),
    event: { type: 'RegistrationRolledBack', facts: { id: `id-${number}`, number }, content: {} },
  }
}

function placeOf(position: number, stream: string, revision: number) {
  const metadata = {
    commandId: `c${position}`,
    commandType: 'T',
    commandDigest: 'd',
    index: 0,
    count: 1,
    at: position,
    actor: 'p',
    ruleset: 1,
  }
  return { position: BigInt(position), stream, workspace: 'default', owner: 'a', revision, metadata }
}
