import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { ProjectedEvent } from '../../projections/projection.ts'
import { Projector } from '../../projections/projector.ts'
import { openReadDatabase } from '../../projections/read-database.ts'
import type { EmbeddedNode } from '../../src/app/embedded-node.ts'
import { parkedLines } from '../../src/subscriptions/parked-lines.ts'
import { ParkedWatch } from '../../src/subscriptions/parked-watch.ts'
import { registered, TALLY } from '../projections/support/tally.ts'
import { RecordingLog } from '../support/recording-log.ts'
import {
  atTheEnd,
  eventually,
  freshFolder,
  healthOf,
  type NodeOptions,
  openedNode,
  register,
  tallies,
} from './support/read-side-node.ts'

const STREAM = 'registry-default/b'
const START = { logId: 'log', timeline: 1, position: 0n, hash: '' }

const PARKED =
  'a projection can not go on with a stream at this event and parked it; `verdict projections retry` tries it again, ' +
  '`verdict projections discard` leaves the event out'
const PARKED_MANY =
  'a projection can not go on with many streams and parked them; `verdict projections parked` names all; for each, ' +
  '`verdict projections retry` tries it again, `verdict projections discard` leaves the event out'
const PARKED_BEFORE =
  'read models go on without streams that are parked; `verdict projections parked` names them; for each, ' +
  '`verdict projections retry` tries it again, `verdict projections discard` leaves the event out'
const FOLLOWED = 'a parked stream is followed again'
const DISCARDED = 'the event at which a stream was parked was left out, as an operator ordered'

/** A node whose rows are built, what its log was told of parked streams, and how many lines there are by now. */
async function heardNode(location: string, options: NodeOptions = {}) {
  const lines: { readonly level: string; readonly facts: object; readonly message: string }[] = []
  const hear = (level: string) => (facts: object, message: string) => {
    if (/parked/.test(message)) lines.push({ level, facts, message })
  }
  const log = Object.assign(new RecordingLog(), { warn: hear('warn'), info: hear('info') })
  const node = await openedNode(location, { ...options, log })
  const told = (count: number) =>
    eventually(
      () => lines,
      ({ length }) => length >= count,
    )
  return { node, lines, told }
}

/** Follows with rows that are built: what is parked from now on is parked before its eyes. */
async function followedNode(location: string, options: NodeOptions = {}) {
  const heard = await heardNode(location, options)
  await tallies(heard.node, await register(heard.node, 'a', 'first', 'k'))
  return heard
}

function parkedAt(revision: number, position: bigint, error: string) {
  return { projection: 'tally', stream: STREAM, revision, position: String(position), error }
}

test('D3: a parked stream is told in the log once, with the event, the error and the ways out, however often it is tried', async () => {
  const cure = path.join(freshFolder(), 'cure')
  const settings = { parkedRetryMs: 20, parkedTriesMax: 3, followLeaseMs: 300 }
  const { node, lines, told } = await followedNode('memory:', { projection: 'CURABLE', settings })
  const poison = await register(node, 'b', 'x', cure)
  await eventually(
    () => healthOf(node),
    ({ parked }) => parked[0]?.tries === 3,
  )
  expect(await node.readSide.retryParked('tally', STREAM)).toMatchObject({ type: 'parked', parked: { tries: 4 } })
  writeFileSync(cure, '')
  expect(await node.readSide.retryParked('tally', STREAM)).toEqual({ type: 'followed' })
  const facts = parkedAt(1, poison, `${cure} is not there`)
  await told(2)
  expect(lines).toEqual([
    { level: 'warn', facts, message: PARKED },
    { level: 'info', facts, message: FOLLOWED },
  ])
})

test('D3: an event that is left out is told in the log, and so is the next one that parks its stream', async () => {
  const { node, lines, told } = await followedNode('memory:')
  const first = await register(node, 'b', 'x', 'poison')
  await told(1)
  const second = await register(node, 'b', 'y', 'poison')
  await tallies(node, second)
  expect(await node.readSide.discardParked('tally', STREAM, 'one of two')).toMatchObject({ type: 'parked' })
  await told(3)
  expect(await node.readSide.discardParked('tally', STREAM, 'two of two')).toEqual({ type: 'followed' })
  await told(4)
  const error = 'a poisonous kind'
  expect(lines).toEqual([
    { level: 'warn', facts: parkedAt(1, first, error), message: PARKED },
    { level: 'info', facts: parkedAt(1, first, error), message: DISCARDED },
    { level: 'warn', facts: parkedAt(2, second, error), message: PARKED },
    { level: 'info', facts: parkedAt(2, second, error), message: DISCARDED },
  ])
})

test('D3: streams that are parked already are told at the start in one line, by projection', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const settings = { parkedTriesMax: 0 }
  const first = await followedNode(file, { settings })
  for (const owner of ['b', 'c']) await parkedThere(first.node, owner)
  await first.node.door.close()
  const { node, lines, told } = await heardNode(file, { settings })
  node.readSide.start()
  await told(1)
  await parkedThere(node, 'd')
  await told(2)
  expect(lines).toEqual([
    { level: 'warn', facts: { parked: { tally: 2 } }, message: PARKED_BEFORE },
    { level: 'warn', facts: expect.objectContaining({ stream: 'registry-default/d' }), message: PARKED },
  ])
})

async function parkedThere(node: EmbeddedNode, owner: string): Promise<void> {
  await tallies(node, await register(node, owner, 'x', 'poison'))
}

test('D3: a thousand streams that are parked in one batch are one line with their number and the first few, and so is their way back', () => {
  const database = openReadDatabase(path.join(freshFolder(), 'views.db'))
  atTheEnd(() => database.close())
  const generation = database.begin(TALLY, 'serving', START, 1)
  const projector = new Projector({ database, projection: TALLY, generation, onPoison: 'park' })
  const watch = new ParkedWatch()
  const linesOf = () => watch.look([projector]).flatMap(parkedLines)
  expect(linesOf()).toEqual([])
  const streams = Array.from({ length: 1_000 }, (_, i) => `registry-default/${i}`)
  const poison = streams.map((stream, i): ProjectedEvent => registered(i + 1, 'poison', stream, 1))
  const items = poison.map((event) => ({ type: 'event', event }) as const)
  projector.project(items, { ...START, position: 1_000n, hash: 'h' }, 2)
  const first = [0, 1, 2].map((i) => ({
    stream: `registry-default/${i}`,
    revision: 1,
    position: String(i + 1),
    error: 'a poisonous kind',
  }))
  const facts = { projection: 'tally', count: 1_000, first }
  expect(linesOf()).toEqual([{ level: 'warn', facts, message: PARKED_MANY }])
  expect(linesOf()).toEqual([])
  for (const stream of streams) projector.resume(stream, [], true, 3)
  expect(linesOf()).toEqual([{ level: 'info', facts, message: 'many parked streams are followed again' }])
  expect(linesOf()).toEqual([])
})
