import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Checkpoint } from '../../projections/checkpoint.ts'
import { CheckpointLost } from '../../projections/checkpoint.ts'
import { Projector } from '../../projections/projector.ts'
import { openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import { NotServed, ReadModels } from '../../projections/read-models.ts'
import { registered, TALLIES, TALLY } from './support/tally.ts'

const START: Checkpoint = { logId: 'log', timeline: 1, position: 0n, hash: '' }

let folder: string
let file: string
const opened: { close(): void }[] = []

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'verdict-views-'))
  file = path.join(folder, 'views.db')
})

afterEach(() => {
  for (const one of opened.splice(0)) one.close()
  rmSync(folder, { recursive: true })
})

function open(): ReadDatabase {
  const one = openReadDatabase(file)
  opened.push(one)
  return one
}

function readModels(): ReadModels {
  const one = new ReadModels(file)
  opened.push(one)
  return one
}

function fill(database: ReadDatabase, standing: 'serving' | 'building', through: number) {
  const generation = database.begin(TALLY, standing, START, 1)
  const projector = new Projector({ database, projection: TALLY, generation, onPoison: 'stop' })
  const events = Array.from({ length: through }, (_, i) => registered(i + 1, 'a'))
  projector.project(
    events.map((event) => ({ type: 'event', event })),
    { ...START, position: BigInt(through), hash: `h${through}` },
    1,
  )
  return generation
}

const tally = (models: ReadModels) =>
  models.ask('tally', (session) => session.get(`SELECT registered FROM ${session.table(TALLIES)}`, []))

const OWN_TABLES = ['discarded', 'generation_numbers', 'generations', 'leases', 'orders', 'parked']

describe('the file of the read models', () => {
  test('D2: a new generation is filled beside the one that serves, and takes its place from one question to the next', () => {
    const database = open()
    fill(database, 'serving', 3)
    const models = readModels()
    const built = fill(database, 'building', 5)
    expect(tally(models)).toMatchObject({ answer: { registered: 3 }, checkpoint: { position: 3n } })
    for (const step of database.finishing(TALLY, built.generation)) step()
    database.serve(TALLY, built)
    expect(tally(models)).toMatchObject({ answer: { registered: 5 }, checkpoint: { position: 5n } })
    expect(tablesOf(database)).toEqual([...OWN_TABLES, 'tallies.2', 'tally-names.2'])
    expect(indexesOf(database)).toEqual(['tallies.by_number.2'])
  })

  test('D2: a generation that is given up leaves nothing behind, and its number is never used again', () => {
    const database = open()
    fill(database, 'serving', 3)
    const { generation } = fill(database, 'building', 5)
    database.drop('tally', generation)
    expect(tablesOf(database)).toEqual([...OWN_TABLES, 'tallies.1', 'tally-names.1'])
    expect(database.generations()).toMatchObject([{ generation: 1, standing: 'serving' }])
    expect(database.begin(TALLY, 'building', START, 1).generation).toBe(3)
  })

  test('D2: a generation that somebody took away does not serve, and the one that serves stays', () => {
    const database = open()
    fill(database, 'serving', 3)
    const built = fill(database, 'building', 5)
    database.drop('tally', built.generation)
    expect(() => database.serve(TALLY, built)).toThrow(CheckpointLost)
    expect(tally(readModels())).toMatchObject({ answer: { registered: 3 } })
  })

  test('a question within a question sees one moment', () => {
    const database = open()
    fill(database, 'serving', 3)
    const models = readModels()
    const { answer } = models.ask('tally', (session) => {
      const before = session.get(`SELECT registered FROM ${session.table(TALLIES)}`, [])
      database.connection.exec('UPDATE "tallies.1" SET registered = 99')
      return [before, session.get(`SELECT registered FROM ${session.table(TALLIES)}`, [])]
    })
    expect(answer).toEqual([{ registered: 3 }, { registered: 3 }])
    expect(tally(models).answer).toEqual({ registered: 99 })
  })

  test('those who ask can change nothing', () => {
    fill(open(), 'serving', 1)
    const models = readModels()
    expect(() => models.ask('tally', (session) => session.get('DELETE FROM generations RETURNING 1', []))).toThrow(
      'readonly',
    )
  })

  test('what was never built is not served', () => {
    open()
    expect(() => tally(readModels())).toThrow(NotServed)
  })

  test('a file that is something else is refused and left as it is', () => {
    const other = new Database(file)
    other.exec('CREATE TABLE mine (a)')
    other.close()
    expect(open).toThrow(`'${file}' holds something else than read models: name another file.`)
    expect(new Database(file).prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['mine'])
    writeFileSync(file, 'not a database at all, but long enough to be taken for one: '.repeat(20))
    expect(open).toThrow('file is not a database')
  })

  test('a file of a newer version is refused with the way out', () => {
    const database = open()
    database.connection.pragma('user_version = 2')
    expect(open).toThrow('was written by a newer version (format 2, this one reads 1)')
    expect(readModels).toThrow('use that version, or delete the file, and it is built anew')
  })
})

function tablesOf(database: ReadDatabase) {
  return database.connection
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
    .pluck()
    .all()
}

function indexesOf(database: ReadDatabase) {
  return database.connection
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name`)
    .pluck()
    .all()
}
