import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OPERATION_INDEX, OPERATIONS } from '../../projections/operation-index.ts'
import { operationOf, recordOf } from '../../projections/operation-record.ts'
import type { Projection, ProjectionTable, SqlValue } from '../../projections/projection.ts'
import { Projector } from '../../projections/projector.ts'
import { openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import { slimOperation } from '../../projections/slim-operation.ts'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { followed } from './support/followed.ts'
import { registered } from './support/tally.ts'

const START = { logId: 'log', timeline: 1, position: 0n, hash: '' }

/** What a batch is to make of a row: its values behind the key, or none. */
type Wanted = readonly SqlValue[] | undefined

/** A table whose rows are put as they come. */
function tableOf(columns: number): ProjectionTable<readonly SqlValue[]> {
  return {
    name: 'wide',
    columns: [
      { name: 'id', type: 'text' },
      ...Array.from({ length: columns }, (_, i) => ({ name: `c${i}`, type: 'integer', nullable: true }) as const),
    ],
    key: ['id'],
    indexes: [{ name: 'first', columns: ['c0'] }],
    write: (row) => row,
    read: (values) => values,
    targets: () => [],
    evolve: () => undefined,
  }
}

function opened(columns: number, keptRowsMax?: number) {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-rows-'))
  const database = openReadDatabase(path.join(folder, 'views.db'))
  const table = tableOf(columns)
  const projection: Projection = { name: 'wide', version: 1, tables: [table], unknownEvents: 'skip' }
  const generation = database.begin(projection, 'serving', START, 1)
  const projector = new Projector({ database, projection, generation, onPoison: 'stop', keptRowsMax })
  return {
    database,
    put(batch: Readonly<Record<string, Wanted>>) {
      projector.amend((rows) => {
        for (const [id, wanted] of Object.entries(batch)) rows.put(table, [id], wanted && [id, ...wanted])
      }, 1)
    },
    [Symbol.dispose]() {
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

function storedIn(database: ReadDatabase): readonly (readonly SqlValue[])[] {
  return database.connection.prepare('SELECT * FROM "wide.1" ORDER BY id').raw().all() as readonly SqlValue[][]
}

/** Counts updates of each column, as triggers see them. */
function watchUpdates(database: ReadDatabase, table: string, columns: readonly string[]): () => readonly string[] {
  database.connection.exec('CREATE TEMP TABLE updated (name TEXT)')
  for (const name of columns) {
    database.connection.exec(
      `CREATE TEMP TRIGGER "of_${name}" AFTER UPDATE OF "${name}" ON main."${table}" BEGIN INSERT INTO updated VALUES ('${name}'); END`,
    )
  }
  return () => database.connection.prepare('DELETE FROM updated RETURNING name').pluck().all() as readonly string[]
}

describe('rows that change', () => {
  test.each([2, 5, 60])(
    'are stored as they were put, with %i columns behind the key, whatever stays in memory',
    (columns) => {
      const values = fc.array(fc.constantFrom(null, 1, 2, 2 ** 40), { minLength: columns, maxLength: columns })
      const batch = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.option(values, { nil: undefined }))
      fc.assert(
        fc.property(fc.array(batch, { maxLength: 12 }), fc.constantFrom(1, 4, 100), (batches, keptRowsMax) => {
          using file = opened(columns, keptRowsMax)
          const expected: Record<string, Wanted> = {}
          for (const one of batches) {
            file.put(one)
            Object.assign(expected, one)
          }
          const rows = Object.entries(expected).flatMap(([id, row]) => (row === undefined ? [] : [[id, ...row]]))
          expect(storedIn(file.database)).toEqual(rows.sort(([a = ''], [b = '']) => (String(a) < String(b) ? -1 : 1)))
        }),
        { numRuns: 60 },
      )
    },
  )

  test('are stored again as they were after a batch that failed', () => {
    using file = opened(2)
    file.put({ a: [1, 2] })
    file.database.connection.exec(
      `CREATE TEMP TRIGGER refused BEFORE UPDATE ON main."wide.1" WHEN new.c1 = 9 BEGIN SELECT RAISE(ABORT, 'no'); END`,
    )
    expect(() => file.put({ b: [1, 1], a: [1, 9] })).toThrow('no')
    expect(storedIn(file.database)).toEqual([['a', 1, 2]])
    file.put({ b: [3, 3], a: [1, 3] })
    expect(storedIn(file.database)).toEqual([
      ['a', 1, 3],
      ['b', 3, 3],
    ])
  })

  test('are written in the columns that change alone, and not at all where none does', () => {
    using file = opened(4)
    const updated = watchUpdates(file.database, 'wide.1', ['id', 'c0', 'c1', 'c2', 'c3'])
    file.put({ a: [1, 2, null, 4], b: [1, 1, 1, 1] })
    file.put({ a: [1, 3, null, 5], b: [1, 1, 1, 1] })
    expect(updated()).toEqual(['c1', 'c3'])
    file.put({ a: [1, 3, 0, 5] })
    expect(updated()).toEqual(['c2'])
  })

  test('a sign of life touches none of the columns by which operations are listed', () => {
    using file = followed(OPERATION_INDEX, { keptRowsMax: 100 })
    const birth = registered(1, 'export')
    const sign: LifecycleEvent = { type: 'SignsOfLifeRecorded', facts: { signs: [[1, 9]] }, content: {} }
    const started = { type: 'OperationStarted', facts: { id: 'id-1', number: 1, attempt: 1 }, content: {} } as const
    file.project([birth, { ...registered(2, ''), event: started }])
    const names = OPERATIONS.columns.map(({ name }) => name)
    const updated = watchUpdates(file.database, 'operations.1', names)
    file.project([{ ...registered(3, ''), event: sign }])
    expect(updated().toSorted()).toEqual(['last_position', 'record'])
  })
})

describe('the record of an operation', () => {
  test('gives the operation back as it was, in any history', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), (given, sent, seed) => {
        for (const held of historyOf(given, sent, seed).state.operations.values()) {
          const slim = slimOperation(held)
          expect(operationOf(recordOf(slim))).toEqual(JSON.parse(JSON.stringify(slim)))
        }
      }),
      { numRuns: 100 },
    )
  })
})
