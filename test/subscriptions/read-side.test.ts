import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { EmbeddedNode } from '../../src/app/embedded-node.ts'
import { RecordingLog } from '../support/recording-log.ts'
import {
  atTheEnd,
  BUILT_IN,
  EVEN_QUESTION,
  eventually,
  freshFolder,
  HEAVY_QUESTION,
  healthOf,
  openedNode,
  question,
  register,
  TALLIES_QUESTION,
  tallies,
} from './support/read-side-node.ts'

const STORES = ['memory', 'sqlite'] as const

function opened(store: (typeof STORES)[number]): Promise<EmbeddedNode> {
  return openedNode(store === 'memory' ? 'memory:' : path.join(freshFolder(), 'verdict.db'))
}

describe.each(STORES)('over a log on %s, a question', (store) => {
  test('D4: that names the position of a command sees what the command did', async () => {
    const node = await opened(store)
    for (let i = 1; i <= 20; i++) {
      const position = await register(node, 'a', `id-${i}`, 'k')
      const answered = await node.readSide.ask(TALLIES_QUESTION, [], { atLeast: position, timeoutMs: 20_000 })
      expect(answered.answer).toEqual({ k: i })
      expect(answered.position >= position).toBe(true)
    }
  })

  test('D4: is answered with how far its rows lie behind, when asked for', async () => {
    const node = await opened(store)
    const position = await register(node, 'a', 'x', 'k')
    const { lag } = await node.readSide.ask(TALLIES_QUESTION, [], { atLeast: position, withLag: true })
    expect(lag).toEqual({ events: 0, isMore: false, ms: 0 })
  })

  test('D4: that names a position which is not reached in time is refused, with the position that the rows have', async () => {
    const node = await opened(store)
    const position = await register(node, 'a', 'x', 'k')
    await tallies(node, position)
    const refused = node.readSide.ask(TALLIES_QUESTION, [], { atLeast: position + 1n, timeoutMs: 30 })
    await expect(refused).rejects.toMatchObject({
      code: 'read_model_behind',
      position,
      message: `The rows of 'tally' stand at position ${position}, and ${position + 1n} was not reached within 30 ms.`,
    })
  })

  test('is given up at once when its signal aborts', async () => {
    const node = await opened(store)
    await tallies(node, await register(node, 'a', 'x', 'k'))
    const leaving = new AbortController()
    const asked = node.readSide.ask(TALLIES_QUESTION, [], { atLeast: 10_000n, signal: leaving.signal })
    leaving.abort(new Error('left'))
    await expect(asked).rejects.toThrow('left')
  })
})

describe('a question', () => {
  test('that makes no sense is refused by its own name', async () => {
    const node = await opened('memory')
    await tallies(node, await register(node, 'a', 'x', 'k'))
    expect((await node.readSide.ask(EVEN_QUESTION, [4])).answer).toBe(4)
    await expect(node.readSide.ask(EVEN_QUESTION, [3])).rejects.toMatchObject({
      name: 'QuestionError',
      code: 'odd',
      message: '3 is odd',
    })
  })

  test('that is none is refused, and so is one of a projection that has no rows', async () => {
    const node = await opened('memory')
    await tallies(node, await register(node, 'a', 'x', 'k'))
    await expect(node.readSide.ask(question('notAQuestion'), [])).rejects.toMatchObject({ code: 'projection_unusable' })
    await expect(node.readSide.ask(question('missing'), [])).rejects.toMatchObject({ code: 'projection_unusable' })
    await expect(node.readSide.ask(question('talliesAsked', 'nothing'), [])).rejects.toMatchObject({
      code: 'not_served',
    })
  })

  test('that is heavy delays no command', async () => {
    const node = await opened('memory')
    await tallies(node, await register(node, 'a', 'x', 'k'))
    const heavy = node.readSide.ask(HEAVY_QUESTION, [1_000])
    let isAnswered = false
    const answered = heavy.then(() => {
      isAnswered = true
    })
    for (let i = 0; i < 20; i++) await register(node, 'a', `id-${i}`, 'k')
    expect(isAnswered).toBe(false)
    await answered
  })

  test('after the read side was closed is refused, and closing twice is once', async () => {
    const node = await opened('memory')
    await node.readSide.close()
    await node.readSide.close()
    await expect(node.readSide.ask(TALLIES_QUESTION, [])).rejects.toMatchObject({ code: 'read_side_closed' })
  })
})

describe('nothing of the read side', () => {
  test('runs or lies on disk before it is asked for', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const node = await openedNode(file)
    await register(node, 'a', 'x', 'k')
    await node.door.close()
    expect(existsSync(`${file}-views`)).toBe(false)
  })

  test('that follows from the start waits for a question', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const node = await openedNode(file, { readModels: { follow: 'at_start' } })
    await register(node, 'a', 'x', 'k')
    await eventually(
      () => existsSync(`${file}-views`),
      (is) => is,
    )
  })
})

describe('the file of the read models', () => {
  async function written(file: string): Promise<EmbeddedNode> {
    const node = await openedNode(file)
    expect(await tallies(node, await register(node, 'a', 'x', 'k'))).toEqual({ k: 1 })
    return node
  }

  /** A log whose last event, of an operation of the kind `lost`, is lost to an older copy; the rows had it. */
  async function putBack(): Promise<string> {
    const folder = freshFolder()
    const file = path.join(folder, 'verdict.db')
    const first = await written(file)
    await first.door.close()
    copyFileSync(file, path.join(folder, 'backup.db'))
    const second = await openedNode(file)
    expect(await tallies(second, await register(second, 'a', 'y', 'lost'))).toEqual({ k: 1, lost: 1 })
    await second.door.close()
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
    copyFileSync(path.join(folder, 'backup.db'), file)
    return file
  }

  test('may be deleted while it is followed: it is built anew', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const node = await written(file)
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}-views${suffix}`)
    const position = await register(node, 'a', 'y', 'k')
    expect(await tallies(node, position)).toEqual({ k: 2 })
  })

  test('that is damaged is built anew, and health says why', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const first = await written(file)
    await first.door.close()
    const whole = new Database(`${file}-views`)
    whole.pragma('wal_checkpoint(TRUNCATE)')
    whole.close()
    const bytes = readFileSync(`${file}-views`)
    bytes.fill(0xff, 100, 8_192)
    writeFileSync(`${file}-views`, bytes)
    const node = await openedNode(file)
    expect(await tallies(node, await register(node, 'a', 'y', 'k'))).toEqual({ k: 2 })
    expect((await healthOf(node)).message).toMatch(
      /^The file of the read models was damaged \(.*\) and is built anew\.$/,
    )
  })

  test('that holds something else is left as it is, and health says so', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const other = new Database(`${file}-views`)
    other.exec('CREATE TABLE treasure (x); INSERT INTO treasure VALUES (1)')
    other.close()
    const node = await openedNode(file)
    await register(node, 'a', 'x', 'k')
    await expect(node.readSide.ask(TALLIES_QUESTION, [])).rejects.toMatchObject({ code: 'not_read_models' })
    await node.door.close()
    const again = new Database(`${file}-views`)
    atTheEnd(() => again.close())
    expect(again.prepare('SELECT x FROM treasure').pluck().get()).toBe(1)
  })

  test('of another log is built anew for this one', async () => {
    const folder = freshFolder()
    const views = path.join(folder, 'views')
    const one = await openedNode(path.join(folder, 'one.db'), { readModels: { path: views } })
    for (const id of ['x', 'y', 'z']) await register(one, 'a', id, 'old')
    expect(await tallies(one, await register(one, 'a', 'w', 'old'))).toEqual({ old: 4 })
    await one.door.close()
    const other = await openedNode(path.join(folder, 'other.db'), { readModels: { path: views } })
    const position = await register(other, 'a', 'x', 'new')
    await eventually(
      () => tallies(other, position),
      (found) => found.new === 1 && found.old === undefined,
    )
  })

  test('D1: of a log that was replaced by an older state of itself is not gone on with, until it is rebuilt', async () => {
    const file = await putBack()
    rmSync(`${file}-snapshots`, { force: true })
    const node = await openedNode(file)
    const position = await register(node, 'a', 'z', 'kept')
    const health = await eventually(
      () => healthOf(node),
      ({ message }) => message !== undefined,
    )
    expect(health.status).toBe('stopped')
    expect(health.message).toMatch(
      /^'tally' stands at position \d+, where the log has another event now\. The log was replaced \(log_replaced\): build it anew with "verdict projections rebuild tally"\.$/,
    )
    await expect(tallies(node)).rejects.toMatchObject({ code: 'not_served', message: health.message })
    await node.readSide.rebuild(['tally'])
    expect(await tallies(node, position)).toEqual({ k: 1, kept: 1 })
    await eventually(
      () => healthOf(node),
      ({ status }) => status === 'following',
    )
  })

  test('D1: of a log that was put back behind its place tells nobody of what never was, and is built anew by command', async () => {
    const file = await putBack()
    const message = expect.stringMatching(
      /^'tally' stands at position \d+, where the log has no event any more\. The log was replaced \(log_replaced\): build it anew with "verdict projections rebuild tally"\.$/,
    )
    const looking = await openedNode(file, { readModels: { follow: 'never' } })
    expect(await healthOf(looking)).toMatchObject({ status: 'stopped', message })
    await expect(tallies(looking)).rejects.toMatchObject({ code: 'not_served', message })
    const waiting = looking.readSide.ask(TALLIES_QUESTION, [], { atLeast: 1n, timeoutMs: 50 })
    await expect(waiting).rejects.toMatchObject({ code: 'not_served', message })
    expect(await looking.readSide.rebuild(['tally'])).toMatchObject({ projections: ['tally'] })
    expect(await tallies(looking)).toEqual({ k: 1 })
  })
})

describe('health', () => {
  test('D5: tells position and lag of what follows', async () => {
    const node = await opened('sqlite')
    const position = await register(node, 'a', 'x', 'k')
    await tallies(node, position)
    expect(await healthOf(node)).toEqual({
      projection: 'tally',
      version: 1,
      status: 'following',
      position,
      lag: { events: 0, isMore: false, ms: 0 },
      parked: [],
      discarded: [],
    })
  })

  test('D5: tells rows that do not move as stalled, with what waits, and following when they do again', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const settings = { projectionLaggingMs: 100, projectionStalledMs: 600, projectionRetryMsMax: 500 }
    const node = await openedNode(file, { settings })
    await tallies(node, await register(node, 'a', 'x', 'k'))
    const blocking = new Database(`${file}-views`)
    atTheEnd(() => blocking.close())
    blocking.exec('BEGIN IMMEDIATE')
    await register(node, 'a', 'y', 'k')
    const position = await register(node, 'a', 'z', 'k')
    const stalled = await eventually(
      () => healthOf(node),
      ({ status }) => status === 'stalled',
    )
    expect(stalled.lag).toMatchObject({ events: 2, isMore: false })
    expect(stalled.lag?.ms).toBeGreaterThanOrEqual(600)
    blocking.exec('ROLLBACK')
    expect(await tallies(node, position)).toEqual({ k: 3 })
    await eventually(
      () => healthOf(node),
      ({ status }) => status === 'following',
    )
  })

  test.each([
    ['notAQuestion', /is no projection: expected a kebab-case name/],
    ['WITHOUT_KEY', /is no projection: expected a kebab-case name/],
    ['nothing', /exports nothing with the name 'nothing'\.$/],
    ['NAMED_RATES', /^There is a projection with the name 'rates' already: give this one another name\.$/],
  ])('of what is named as a projection and is none (%s) says why, and all others go on', async (projection, why) => {
    const log = new RecordingLog()
    const node = await openedNode('memory:', { projection, log })
    await register(node, 'a', 'x', 'k')
    const ofIt = { projection, status: 'stopped', message: expect.stringMatching(why) }
    const others = BUILT_IN.map((name) => ({ projection: name, status: 'following' }))
    expect(
      await eventually(
        () => node.readSide.health(),
        (all) => all.filter(({ status }) => status === 'following').length === BUILT_IN.length,
      ),
    ).toMatchObject([...others, ofIt])
    expect(log.lines).toEqual([
      {
        facts: { projection, message: expect.stringMatching(why) },
        message: 'a projection can not be used; the others go on without it',
      },
    ])
  })

  test('of a projection whose module is not there says so, and all others go on', async () => {
    const projections = [{ module: './not-there.ts', name: 'MINE' }]
    const node = await openedNode('memory:', { readModels: { projections } })
    await register(node, 'a', 'x', 'k')
    const all = await eventually(
      () => node.readSide.health(),
      (health) => health.filter(({ status }) => status === 'following').length === BUILT_IN.length,
    )
    const message = expect.stringMatching(/^\.\/not-there\.ts can't be imported: /)
    expect(all.at(-1)).toMatchObject({ projection: 'MINE', status: 'stopped', message })
    await expect(node.readSide.rebuild(['mine'])).rejects.toMatchObject({
      code: 'unknown_projection',
      message: expect.stringMatching(/\. \.\/not-there\.ts can't be imported: /),
    })
  })
})
