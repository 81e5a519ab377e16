import { expect, test } from 'vitest'
import { DEFAULT_BOUNDS } from '../../src/authority/bounds.ts'
import { parseCommand } from '../../src/authority/commands.ts'
import type { Effect } from '../../src/authority/effects.ts'
import { DEFAULT_LIMITS } from '../../src/authority/events.ts'
import { settingsOf } from '../../src/config.ts'
import { randomSalts } from '../../src/event-store/event-codec.ts'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { systemRandom } from '../../src/runtime/ids.ts'
import { addressCommand } from '../../src/shell/command-stamp.ts'
import { OpenFates } from '../../src/shell/open-fates.ts'
import { RegistryWriter } from '../../src/shell/registry-writer.ts'
import { type Settlement, SHELL } from '../../src/shell/ticket.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { STREAM } from './support/nodes.ts'

/** What a registry's writer does for the outside, in the order in which it does it. */
function recordingWriter() {
  const told: string[] = []
  const store = openMemoryStore()
  const clock = new HandMovedClock()
  const random = systemRandom()
  const limits = { ...DEFAULT_LIMITS, maxCompleted: 1 }
  const settings = { ...settingsOf(undefined), clock, random, kinds: {}, limits }
  const writer: RegistryWriter = new RegistryWriter({
    store,
    stream: STREAM,
    clock,
    settings,
    salts: randomSalts(),
    fates: new OpenFates(clock, { max: 1, ms: 1 }),
    snapshots: undefined,
    log: new RecordingLog(),
    runEffect: (effect, state) => {
      if (effect.type === 'ScheduleDeadline') return
      // What an effect leads to may read the state: it has to be the one behind the event, and nothing less.
      expect(writer.durable.state).toBe(state)
      told.push(named(effect))
    },
    before: () => [],
    onMoved: () => {},
    onFailed: () => told.push('failed'),
  })
  const send = (input: Readonly<Record<string, unknown>>): Promise<Settlement> => {
    const parsed = parseCommand(input, DEFAULT_BOUNDS)
    if ('rejection' in parsed) throw new Error(parsed.rejection.message)
    const addressed = addressCommand(parsed.command, undefined, settings, parsed.text)
    return new Promise((resolve) => {
      writer.submit(addressed, SHELL, (settlement) => {
        told.push(`${settlement.result.type} ${String(input.type)}`)
        resolve(settlement)
      })
    })
  }
  const running = async (id: string): Promise<number> => {
    const { result } = await send({ type: 'RegisterOperation', id, kind: 'k', claim: {} })
    return result.type === 'answered' ? (result.answer.leaseEpoch as number) : Number.NaN
  }
  const toldBy = async (...commands: readonly Readonly<Record<string, unknown>>[]): Promise<readonly string[]> => {
    told.length = 0
    await Promise.all(commands.map(send))
    return [...told]
  }
  return { send, running, toldBy }
}

function named(effect: Effect): string {
  if (effect.type === 'AbortAttempt') return `AbortAttempt ${effect.id} ${effect.cause}`
  if (effect.type === 'WakeFeed') return `WakeFeed ${effect.watermark}`
  return 'id' in effect ? `${effect.type} ${effect.id}` : `${effect.type} ${'waitId' in effect ? effect.waitId : ''}`
}

test('a terminal event aborts, notifies, satisfies, wakes and evicts, in this order, before its command is answered', async () => {
  const { send, running, toldBy } = recordingWriter()
  const oldest = await running('oldest')
  await send({ type: 'CompleteOperation', id: 'oldest', leaseEpoch: oldest })
  const epoch = await running('a')
  await running('b')
  await send({ type: 'BeginWaitAny', waitId: 'any', ids: ['b', 'a'] })
  await send({ type: 'BeginWaitAll', waitId: 'both', ids: ['a', 'b'] })
  await send({ type: 'BeginWaitAll', waitId: 'all', ids: ['a'] })
  expect(await toldBy({ type: 'RequestCancel', id: 'a' })).toEqual([
    'AbortAttempt a cancel_requested',
    'answered RequestCancel',
  ])
  expect(await toldBy({ type: 'FailOperation', id: 'a', leaseEpoch: epoch, error: { message: 'broke' } })).toEqual([
    'AbortAttempt a ended',
    'NotifyWatchers a',
    'SatisfyWait any',
    'SatisfyWait all',
    'WakeFeed 2',
    'EvictRecord oldest',
    'answered FailOperation',
  ])
})

test('a completed attempt is told by its own answer and not aborted', async () => {
  const { running, toldBy } = recordingWriter()
  const epoch = await running('a')
  expect(await toldBy({ type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })).toEqual([
    'NotifyWatchers a',
    'WakeFeed 1',
    'answered CompleteOperation',
  ])
})

test('the end of an owner aborts all, notifies all in order, then waits, one wake, evictions', async () => {
  const { send, running, toldBy } = recordingWriter()
  const ids = ['a', 'b', 'c']
  for (const id of ids) await running(id)
  await send({ type: 'RegisterOperation', id: 'queued', kind: 'k' })
  await send({ type: 'BeginWaitAll', waitId: 'all', ids: ['queued', ...ids] })
  await send({ type: 'BeginWaitAny', waitId: 'any', ids: ['c', 'a'] })
  expect(await toldBy({ type: 'TerminateOwner', reason: 'session over' })).toEqual([
    ...ids.map((id) => `AbortAttempt ${id} ended`),
    ...[...ids, 'queued'].map((id) => `NotifyWatchers ${id}`),
    'SatisfyWait all',
    'SatisfyWait any',
    'WakeFeed 4',
    ...ids.map((id) => `EvictRecord ${id}`),
    'answered TerminateOwner',
  ])
})

test('commands that share an append are answered one by one, each behind the effects of its own events', async () => {
  const { running, toldBy } = recordingWriter()
  const a = await running('a')
  const b = await running('b')
  expect(
    await toldBy(
      { type: 'CompleteOperation', id: 'a', leaseEpoch: a },
      { type: 'CompleteOperation', id: 'b', leaseEpoch: b },
    ),
  ).toEqual([
    'NotifyWatchers a',
    'WakeFeed 1',
    'answered CompleteOperation',
    'NotifyWatchers b',
    'WakeFeed 2',
    'EvictRecord a',
    'answered CompleteOperation',
  ])
})
