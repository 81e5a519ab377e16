import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { OperatorOrders } from '../../projections/operator-orders.ts'
import { openReadDatabase } from '../../projections/read-database.ts'
import { settingsOf } from '../../src/config.ts'
import { openSqliteLogReader } from '../../src/event-store/sqlite-log-reader.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { Follower } from '../../src/subscriptions/follower.ts'
import { RowMoves } from '../../src/subscriptions/row-moves.ts'
import { TALLY } from '../projections/support/tally.ts'
import { unknownBetween } from './support/appended-history.ts'
import { atTheEnd, eventually, freshFolder, healthOf, openedNode, register, tallies } from './support/read-side-node.ts'

const STREAM = 'registry-default/b'

describe('an event that a rule can make no sense of', () => {
  test('D3: parks its stream, visibly, and no other', async () => {
    const node = await openedNode('memory:')
    await register(node, 'b', 'x', 'k')
    const poison = await register(node, 'b', 'y', 'poison')
    await register(node, 'b', 'z', 'k')
    const position = await register(node, 'a', 'x', 'k')
    expect(await tallies(node, position)).toEqual({ k: 2 })
    const { status, parked } = await healthOf(node)
    expect(status).toBe('following')
    expect(parked).toMatchObject([{ stream: STREAM, revision: 2, position: poison, error: 'a poisonous kind' }])
  })

  test('D3: is tried again by itself, ever more seldom, and then no more until somebody asks', async () => {
    const cure = path.join(freshFolder(), 'cure')
    const settings = { parkedRetryMs: 20, parkedTriesMax: 3, followLeaseMs: 300 }
    const node = await openedNode('memory:', { projection: 'CURABLE', settings })
    await register(node, 'b', 'x', cure)
    await tallies(node, await register(node, 'b', 'y', 'k'))
    const parked = await eventually(
      () => healthOf(node),
      (health) => health.parked[0]?.tries === 3,
    )
    expect(parked.parked).toMatchObject([{ stream: STREAM, revision: 1, tries: 3, error: `${cure} is not there` }])
    const again = await node.readSide.retryParked('tally', STREAM)
    expect(again).toMatchObject({ type: 'parked', parked: { revision: 1, tries: 4 } })
    writeFileSync(cure, '')
    expect((await healthOf(node)).parked).toMatchObject([{ tries: 4 }])
    expect(await node.readSide.retryParked('tally', STREAM)).toEqual({ type: 'followed' })
    expect((await healthOf(node)).parked).toEqual([])
    expect(await tallies(node)).toEqual({ [cure]: 1, k: 1 })
    expect(await tallies(node, await register(node, 'b', 'z', 'k'))).toEqual({ [cure]: 1, k: 2 })
  })

  test('D3: that makes sense after a while is gone on with by itself', async () => {
    const cure = path.join(freshFolder(), 'cure')
    const settings = { parkedRetryMs: 50, parkedTriesMax: 50, followLeaseMs: 300 }
    const node = await openedNode('memory:', { projection: 'CURABLE', settings })
    await register(node, 'b', 'x', cure)
    await tallies(node, await register(node, 'b', 'y', 'k'))
    await eventually(
      () => healthOf(node),
      (health) => health.parked.length === 1,
    )
    writeFileSync(cure, '')
    await eventually(
      () => healthOf(node),
      (health) => health.parked.length === 0,
    )
    expect(await tallies(node)).toEqual({ [cure]: 1, k: 1 })
  })

  test('D3: is left out when an operator says so, on record with the reason, and its stream goes on behind it', async () => {
    const node = await openedNode('memory:')
    await register(node, 'b', 'x', 'poison')
    await register(node, 'b', 'y', 'k')
    await tallies(node, await register(node, 'b', 'z', 'k'))
    expect(await node.readSide.discardParked('tally', STREAM, 'known defect 7')).toEqual({ type: 'followed' })
    expect(await tallies(node)).toEqual({ k: 2 })
    const { parked, discarded } = await healthOf(node)
    expect(parked).toEqual([])
    expect(discarded).toMatchObject([
      { stream: STREAM, revision: 1, error: 'a poisonous kind', reason: 'known defect 7' },
    ])
  })

  test('D3: on whose stream more of them stand is parked again at the next one', async () => {
    const node = await openedNode('memory:')
    await register(node, 'b', 'x', 'poison')
    await register(node, 'b', 'y', 'k')
    await tallies(node, await register(node, 'b', 'z', 'poison'))
    const answer = await node.readSide.discardParked('tally', STREAM, 'one of two')
    expect(answer).toMatchObject({ type: 'parked', parked: { revision: 3 } })
    expect(await tallies(node)).toEqual({ k: 1 })
  })

  test('D3: whose rows can not be stored parks its stream, visibly, and no other; other projections go on', async () => {
    const node = await openedNode('memory:', { projection: 'PICKY' })
    await tallies(node, await register(node, 'b', 'x', 'k'))
    const poison = await register(node, 'b', 'y', 'unwritable')
    await register(node, 'b', 'z', 'k')
    const position = await register(node, 'a', 'x', 'k')
    expect(await tallies(node, position)).toEqual({ k: 2 })
    const { status, parked } = await healthOf(node)
    expect(status).toBe('following')
    const error = expect.stringMatching(/^NOT NULL constraint failed: tallies\.\d+\.registered$/)
    expect(parked).toMatchObject([{ stream: STREAM, revision: 2, position: poison, error }])
    const index = await eventually(
      () => healthOf(node, 'operation-index'),
      (health) => health.position === position,
    )
    expect(index).toMatchObject({ status: 'following', parked: [] })
    expect(await node.readSide.retryParked('tally', STREAM)).toMatchObject({ type: 'parked', parked: { revision: 2 } })
    expect(await node.readSide.discardParked('tally', STREAM, 'no such kind')).toEqual({ type: 'followed' })
    expect(await tallies(node)).toEqual({ k: 3 })
  })

  test('D3: of which many come one by one, whose rows can not be stored, keeps nobody waiting ever longer', async () => {
    const settings = { projectionRetryMs: 40, projectionRetryMsMax: 600_000 }
    const node = await openedNode('memory:', { projection: 'PICKY', settings })
    for (let i = 1; i <= 12; i++) {
      await register(node, `b${i}`, 'x', 'unwritable')
      expect(await tallies(node, await register(node, 'a', `x${i}`, 'k'))).toEqual({ k: i })
    }
    expect((await healthOf(node)).parked.length).toBe(12)
  })

  test('D3: is left out once, although whoever follows dies before it has gone on behind it', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const first = await openedNode(file)
    await register(first, 'b', 'x', 'poison')
    await register(first, 'b', 'y', 'k')
    await tallies(first, await register(first, 'b', 'z', 'k'))
    await first.door.close()
    const log = await openSqliteLogReader({ path: file })
    const database = openReadDatabase(`${file}-views`)
    atTheEnd(async () => {
      database.close()
      await log.close()
    })
    // The log can be followed, and not be read at another place: as if the process died there.
    let reads = 0
    const reader = {
      ...log,
      readStream() {
        reads++
        throw new Error('dead')
      },
    }
    new OperatorOrders(database).give({
      projection: 'tally',
      stream: STREAM,
      wanted: 'discard',
      reason: 'known defect 7',
    })
    const follower = new Follower({
      path: `${file}-views`,
      reader,
      projections: [TALLY],
      settings: settingsOf({ projectionRetryMs: 1, projectionRetryMsMax: 1, parkedTriesMax: 0 }),
      clock: SYSTEM_CLOCK,
      random: Math.random,
      holder: 'test',
      mode: 'follow',
      moves: new RowMoves(RowMoves.shared()),
      onRetention: () => {},
      onParked: () => {},
      onUnbuilt: () => {},
    })
    follower.start()
    await eventually(
      () => reads,
      (count) => count >= 3,
    )
    await follower.close()
    const [serving] = database.generations('tally')
    expect(serving && database.parked(serving)).toMatchObject([{ stream: STREAM, revision: 2 }])
    const second = await openedNode(file)
    const { discarded } = await eventually(
      () => healthOf(second),
      ({ parked, status }) => status === 'following' && parked.length === 0,
    )
    expect(discarded).toMatchObject([{ revision: 1, reason: 'known defect 7' }])
    expect(await tallies(second)).toEqual({ k: 2 })
  })

  test('of a stream that is not parked can not be retried', async () => {
    const node = await openedNode('memory:')
    await tallies(node, await register(node, 'b', 'x', 'k'))
    await expect(node.readSide.retryParked('tally', STREAM)).rejects.toMatchObject({
      code: 'not_parked',
      message: `'tally' has no parked stream '${STREAM}'.`,
    })
  })
})

describe('an event of a type that is not known', () => {
  test('D3: is passed by where the projection says so', async () => {
    const node = await openedNode('memory:')
    await node.store.append('registry-default/b', 'no_stream', unknownBetween(STREAM))
    const position = await register(node, 'a', 'x', 'k')
    expect(await tallies(node, position)).toEqual({ k: 3 })
    expect(await healthOf(node)).toMatchObject({ status: 'following', parked: [] })
  })

  test('D3: stops a projection that must not go on without it, and no other', async () => {
    const node = await openedNode('memory:', { projection: 'TALLY_STRICT' })
    await tallies(node, await register(node, 'a', 'x', 'k'))
    await node.store.append('registry-default/b', 'no_stream', unknownBetween(STREAM))
    const position = await register(node, 'a', 'y', 'k')
    const stopped = await eventually(
      () => healthOf(node),
      ({ status }) => status === 'stopped',
    )
    expect(stopped.message).toMatch(/'tally' waits for a version of Verdict that knows it \(unknown_event\)\.$/)
    await eventually(
      () => healthOf(node, 'operation-history'),
      (health) => health.position === position,
    )
    expect(await tallies(node)).toEqual({ k: 1 })
  })
})
