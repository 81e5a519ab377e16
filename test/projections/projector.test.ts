import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Checkpoint, CheckpointLost } from '../../projections/checkpoint.ts'
import type { ProjectedEvent, Projection } from '../../projections/projection.ts'
import { type LogItem, PoisonEvent, Projector, UnknownEvent, UnwritableRows } from '../../projections/projector.ts'
import { openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import { ReadModels } from '../../projections/read-models.ts'
import { NAMES, registered, rolledBack, TALLIES, TALLY, type Tally } from './support/tally.ts'

/** Of four events, the second of which parks `registry-default/b`. */
const WITHOUT_B = {
  tallies: [{ kind: 'a', registered: 2 }],
  names: [
    { number: 1, place: 1 },
    { number: 0, place: 2 },
  ],
}
const START: Checkpoint = { logId: 'log', timeline: 1, position: 0n, hash: '' }
const at = (position: number): Checkpoint => ({ ...START, position: BigInt(position), hash: `h${position}` })
const items = (...events: readonly ProjectedEvent[]): readonly LogItem[] =>
  events.map((event) => ({ type: 'event', event }))

let folder: string
let database: ReadDatabase
const opened: { close(): void }[] = []

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'verdict-views-'))
  database = open()
})

afterEach(() => {
  for (const one of opened.splice(0)) one.close()
  rmSync(folder, { recursive: true })
})

function open(): ReadDatabase {
  const one = openReadDatabase(path.join(folder, 'views.db'))
  opened.push(one)
  return one
}

function follower(projection: Projection = TALLY, keptRowsMax?: number): Projector {
  const generation = database.begin(projection, 'serving', START, 1)
  return new Projector({ database, projection, generation, onPoison: 'park', keptRowsMax })
}

/** What is stored, as another connection sees it. */
function stored() {
  const models = new ReadModels(path.join(folder, 'views.db'))
  opened.push(models)
  return models.ask('tally', (session) => ({
    tallies: session.all(`SELECT kind, registered FROM ${session.table(TALLIES)} ORDER BY kind`, []),
    names: session.all(`SELECT number, place FROM ${session.table(NAMES)} ORDER BY stream, number`, []),
  }))
}

describe('a projector', () => {
  test('D1: moves rows and checkpoint together', () => {
    const projector = follower()
    const batch = projector.project(items(registered(1, 'a'), registered(2, 'b'), registered(3, 'a')), at(4), 9)
    expect(batch).toEqual({ events: 3, rowsWritten: 5, parked: [] })
    expect(stored()).toEqual({
      answer: {
        tallies: [
          { kind: 'a', registered: 2 },
          { kind: 'b', registered: 1 },
        ],
        names: [
          { number: 1, place: 1 },
          { number: 2, place: 1 },
          { number: 3, place: 2 },
        ],
      },
      checkpoint: at(4),
    })
    expect(database.generations('tally')).toMatchObject([{ checkpoint: at(4), events: 3, updatedAt: 9 }])
  })

  test('D1: that lost its checkpoint to another stops, and changes nothing', () => {
    const mine = follower()
    const generation = database.generations('tally')[0] as (typeof mine)['generation']
    const theirs = new Projector({ database: open(), projection: TALLY, generation, onPoison: 'park' })
    theirs.project(items(registered(1, 'a')), at(1), 1)
    expect(() => mine.project(items(registered(1, 'z'), registered(2, 'z')), at(2), 1)).toThrow(CheckpointLost)
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 1 }])
    expect(stored().checkpoint).toEqual(at(1))
  })

  test('goes on with rows that an earlier batch and an earlier process wrote', () => {
    follower().project(items(registered(1, 'a'), registered(2, 'b')), at(2), 1)
    const again = new Projector({
      database: open(),
      projection: TALLY,
      generation: database.generations('tally')[0] as Projector['generation'],
      onPoison: 'park',
    })
    again.project(items(registered(3, 'a')), at(3), 1)
    again.project(items(registered(4, 'a'), rolledBack(5, 2)), at(5), 1)
    expect(stored().answer).toEqual({
      tallies: [
        { kind: 'a', registered: 3 },
        { kind: 'b', registered: 1 },
      ],
      names: [
        { number: 1, place: 1 },
        { number: 3, place: 2 },
        { number: 4, place: 3 },
      ],
    })
  })

  test('writes a row that came and went within a batch not at all', () => {
    const projector = follower()
    projector.project(items(registered(1, 'a'), rolledBack(2, 1)), at(2), 1)
    expect(stored().answer.names).toEqual([])
  })

  test('keeps a bound on the rows in memory, and loses none', () => {
    const projector = follower(TALLY, 4)
    for (let i = 1; i <= 60; i++) projector.project(items(registered(i, `k${i % 7}`)), at(i), 1)
    const { tallies, names } = stored().answer
    expect(tallies.map((row) => (row as { registered: number }).registered)).toEqual([8, 9, 9, 9, 9, 8, 8])
    expect(names).toHaveLength(60)
  })

  test('passes by what lies before its checkpoint', () => {
    const projector = follower()
    projector.project(items(registered(1, 'a'), registered(2, 'a')), at(2), 1)
    expect(projector.project(items(registered(2, 'a')), at(2), 1).events).toBe(0)
    expect(projector.project(items(registered(2, 'a'), registered(3, 'a')), at(3), 1).events).toBe(1)
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 3 }])
  })

  test('gives positions beyond 2^53 back as they were', () => {
    const projector = follower()
    const far = { ...registered(7, 'a'), position: 2n ** 60n + 1n }
    projector.project(items(far), { ...START, position: 2n ** 60n + 1n, hash: 'x' }, 1)
    const again = new Projector({
      database,
      projection: TALLY,
      generation: database.generations('tally')[0] as Projector['generation'],
      onPoison: 'park',
    })
    expect(again.checkpoint.position).toBe(2n ** 60n + 1n)
    again.project(items({ ...registered(8, 'a'), position: 2n ** 60n + 3n }), at(2 ** 61), 1)
    const row = database.connection.prepare('SELECT last_position FROM "tallies.1"').safeIntegers().pluck().get()
    expect(row).toBe(2n ** 60n + 3n)
  })
})

describe('an event that a rule cannot make sense of', () => {
  const events = [
    registered(1, 'a', 'registry-default/a', 1),
    registered(2, 'poison', 'registry-default/b', 0),
    registered(3, 'a', 'registry-default/b', 1),
    registered(4, 'a', 'registry-default/c', 0),
  ]

  test('D3: parks its stream and no other, and touches nothing', () => {
    const projector = follower()
    const { parked } = projector.project(items(...events), at(4), 7)
    const entry = {
      stream: 'registry-default/b',
      revision: 0,
      position: 2n,
      error: 'a poisonous kind',
      parkedAt: 7,
      tries: 0,
    }
    expect(parked).toEqual([entry])
    expect(database.parked(projector.generation)).toEqual([entry])
    expect(stored().answer).toEqual(WITHOUT_B)
    expect(stored().checkpoint).toEqual(at(4))
  })

  test('D3: counts a try when its stream is resumed in vain, and is gone on from when it is discarded', () => {
    const projector = follower()
    projector.project(items(...events), at(4), 7)
    const backlog = items(...events.slice(1, 3))
    expect(projector.resume('registry-default/b', backlog, true, 8)).toBe(false)
    expect(projector.parked).toMatchObject([{ revision: 0, tries: 1 }])
    projector.discard('registry-default/b', 8)
    expect(projector.resume('registry-default/b', backlog, true, 9)).toBe(true)
    expect(database.parked(projector.generation)).toEqual([])
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 3 }])
  })

  test.each([
    ['amends rows', (projector: Projector) => projector.amend(() => {}, 8)],
    ['resumes a stream', (projector: Projector) => projector.resume('registry-default/b', [], false, 8)],
    ['discards an event', (projector: Projector) => projector.discard('registry-default/b', 8)],
  ])('D3: has committed all that it was given in memory when it %s', (_, change) => {
    const projector = follower()
    projector.fold(items(...events), at(4), 7)
    expect(stored()).toEqual({ answer: { tallies: [], names: [] }, checkpoint: START })
    change(projector)
    expect(stored().checkpoint).toEqual(at(4))
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 2 }])
    expect(database.parked(projector.generation)).toEqual(projector.parked)
  })

  test('D3: a stream is resumed part by part', () => {
    const projector = follower()
    projector.project(items(...events), at(4), 7)
    projector.discard('registry-default/b', 8)
    expect(projector.resume('registry-default/b', items(...events.slice(2, 3)), false, 8)).toBe(false)
    expect(projector.parked).toMatchObject([{ revision: 2 }])
    expect(projector.resume('registry-default/b', [], true, 9)).toBe(true)
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 3 }])
  })

  test('D3: stays parked over a restart', () => {
    const first = follower()
    first.project(items(...events), at(4), 7)
    const second = new Projector({
      database: open(),
      projection: TALLY,
      generation: database.generations('tally')[0] as Projector['generation'],
      onPoison: 'park',
    })
    second.project(items(registered(5, 'a', 'registry-default/b', 2)), at(5), 8)
    expect(second.parked).toEqual(first.parked)
    expect(stored().answer.tallies).toEqual([{ kind: 'a', registered: 2 }])
  })

  test('D3: stops a rebuild, which leaves nothing out', () => {
    const generation = database.begin(TALLY, 'building', START, 1)
    const projector = new Projector({ database, projection: TALLY, generation, onPoison: 'stop' })
    expect(() => projector.project(items(...events), at(4), 7)).toThrow(PoisonEvent)
    expect(database.generations('tally')).toMatchObject([{ checkpoint: START }])
    expect(database.parked(generation)).toEqual([])
  })

  test.each([
    ['skip', 0, undefined],
    ['stop', 0, UnknownEvent],
  ] as const)('is one of a newer version: the policy says %s', (unknownEvents, parked, error) => {
    const projector = follower({ ...TALLY, unknownEvents })
    const item: LogItem = {
      type: 'undecodable',
      stream: 'registry-default/a',
      revision: 0,
      position: 1n,
      isUnknownType: true,
      message: 'not known',
    }
    const project = () => projector.project([item], at(1), 1)
    if (error === undefined) expect(project().parked).toHaveLength(parked)
    else expect(project).toThrow(error)
  })

  test('is unreadable: its stream is parked', () => {
    const projector = follower()
    const place = { stream: 'registry-default/a', revision: 0, position: 1n }
    const { parked } = projector.project(
      [{ type: 'undecodable', ...place, isUnknownType: false, message: 'the body is not JSON.' }],
      at(1),
      1,
    )
    expect(parked).toMatchObject([{ ...place, error: 'the body is not JSON.' }])
  })
})

describe('an event whose rows can not be stored', () => {
  const events = [
    registered(1, 'a', 'registry-default/a', 1),
    registered(2, 'unwritable', 'registry-default/b', 0),
    registered(3, 'a', 'registry-default/b', 1),
    registered(4, 'a', 'registry-default/c', 0),
  ]
  const WRONG = 'NOT NULL constraint failed: tallies.1.registered'
  const rowsOf = { write: TALLIES.write }
  const table = { ...TALLIES, write: (row: Tally) => rowsOf.write(row) }
  const projection: Projection = { ...TALLY, tables: [table, NAMES] }

  beforeEach(() => {
    rowsOf.write = (row) => {
      const [kind, count, position] = TALLIES.write(row) as [string, number, bigint]
      return [kind, kind === 'unwritable' ? null : count, position]
    }
  })

  /** As whoever follows does it: what could not be written as a whole is written event by event. */
  function carefulFollower(of = projection): Projector {
    const { generation } = follower(of)
    return new Projector({ database, projection: of, generation, onPoison: 'park', carefulThrough: 4n })
  }

  test('D3: fails the batch it is in, which says whose rows they are and up to where', () => {
    const projector = follower(projection)
    const error = caught(() => projector.project(items(...events), at(4), 7))
    expect(error).toBeInstanceOf(UnwritableRows)
    expect(error).toMatchObject({
      code: 'unwritable_rows',
      projection: 'tally',
      through: 4n,
      message: `'tally' can't store its rows: ${WRONG}`,
    })
    expect(stored()).toEqual({ answer: { tallies: [], names: [] }, checkpoint: START })
  })

  test('D3: parks its stream and no other, where each is written before the next', () => {
    const projector = carefulFollower()
    projector.fold(items(...events), at(4), 7)
    expect(projector.isFolded).toBe(false)
    const entry = { stream: 'registry-default/b', revision: 0, position: 2n, error: WRONG, parkedAt: 7, tries: 0 }
    expect(projector.parked).toEqual([entry])
    expect(database.parked(projector.generation)).toEqual([entry])
    expect(stored().answer).toEqual(WITHOUT_B)
    expect(stored().checkpoint).toEqual(at(4))
    projector.fold(items(registered(5, 'a')), at(5), 8)
    expect(projector.isFolded).toBe(true)
  })

  test('D3: is looked for in vain where one that is not known stops the projection: its rows wait before both', () => {
    const projector = carefulFollower({ ...projection, unknownEvents: 'stop' })
    const place = { stream: 'registry-default/d', revision: 0, position: 4n }
    const unknown: LogItem = { type: 'undecodable', ...place, isUnknownType: true, message: 'a later version.' }
    // Together with other projections, which go on.
    database.transaction(() => {
      const error = caught(() => projector.fold([...items(...events.slice(0, 3)), unknown], at(4), 7))
      expect(error).toBeInstanceOf(UnknownEvent)
    })
    expect(stored()).toEqual({ answer: { tallies: [], names: [] }, checkpoint: START })
    expect([projector.parked, database.parked(projector.generation)]).toEqual([[], []])
  })

  test('D3: counts a try when its stream is resumed in vain, and is gone on from when its rows can be stored', () => {
    const projector = carefulFollower()
    projector.fold(items(...events), at(4), 7)
    const backlog = items(...events.slice(1, 3))
    expect(projector.resume('registry-default/b', backlog, true, 8)).toBe(false)
    expect(projector.parked).toMatchObject([{ revision: 0, tries: 1, error: WRONG }])
    rowsOf.write = TALLIES.write
    expect(projector.resume('registry-default/b', backlog, true, 9)).toBe(true)
    expect(stored().answer.tallies).toEqual([
      { kind: 'a', registered: 3 },
      { kind: 'unwritable', registered: 1 },
    ])
  })
})

function caught(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
