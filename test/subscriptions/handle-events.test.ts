import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Checkpoint } from '../../projections/checkpoint.ts'
import type { EmbeddedVerdict } from '../../src/app/embedded-verdict.ts'
import { handleEvents } from '../../src/app/event-handler-of-log.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import type { EventBatch, EventHandlerOptions } from '../../src/subscriptions/handle-events.ts'
import { freshFolder, opened, openedAt, STORES, thrownBy } from '../client/support/opened-verdict.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { unknownBetween } from './support/appended-history.ts'

/** A consumer that remembers what it was handed, and leaves when it has seen so many events. */
function consumer(leaveAfter: number, handle: (batch: EventBatch) => void = () => {}) {
  const leaving = new AbortController()
  const handled: string[] = []
  const saved: Checkpoint[] = []
  const log = new RecordingLog()
  const options: EventHandlerOptions = {
    name: 'mailer',
    signal: leaving.signal,
    log,
    retry: { firstMs: 1, maxMs: 2, triesMax: 3 },
    checkpoints: { load: () => saved.at(-1), save: (checkpoint) => void saved.push(checkpoint) },
    handle(batch) {
      handle(batch)
      for (const { event } of batch.events)
        handled.push('id' in event.facts ? `${event.type} ${event.facts.id}` : event.type)
      if (handled.length >= leaveAfter) leaving.abort()
    },
  }
  return { options, handled, saved, log, leaving }
}

async function begun(verdict: EmbeddedVerdict, ...ids: readonly string[]) {
  for (const id of ids) await verdict.register('k', { id })
}

const births = (ids: readonly string[]) => ids.map((id) => `OperationRegistered ${id}`)

describe.each(STORES)('a handler of events, on %s,', (store) => {
  test('is handed every event in order, those to come included, and goes on behind its checkpoint', async () => {
    const verdict = await opened(store)
    await begun(verdict, 'a', 'b')
    const { options, handled, saved } = consumer(4)
    const handling = handleEvents(verdict, options)
    await begun(verdict, 'c')
    await handling
    expect(handled).toEqual(['RegistryOpened', ...births(['a', 'b', 'c'])])
    expect(saved.at(-1)).toMatchObject({ ...(await verdict.log.identity()), position: await verdict.log.end() })
    await begun(verdict, 'd')
    const later = consumer(1)
    await handleEvents(verdict, { ...later.options, checkpoints: options.checkpoints })
    expect(later.handled).toEqual(births(['d']))
  })

  test('that is to begin at the end sees only what comes', async () => {
    const verdict = await opened(store)
    await begun(verdict, 'a')
    const { options, handled } = consumer(1)
    const atEnd = { ...options, from: 'end' } as const
    const handling = handleEvents(verdict, atEnd)
    // Where the end was is decided once it has looked.
    await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; handled.length === 0 && i < 1_000; i++) await begun(verdict, `later-${i}`)
    await handling
    expect(handled).not.toContain('OperationRegistered a')
  })

  test('is handed again what it failed at, one by one, and nothing is left out', async () => {
    const verdict = await opened(store)
    await begun(verdict, 'a', 'b', 'c')
    let failures = 2
    const { options, handled, log } = consumer(4, ({ events }) => {
      const hasB = events.some(({ event }) => 'id' in event.facts && event.facts.id === 'b')
      if (hasB && failures-- > 0) throw new Error('no network')
    })
    await handleEvents(verdict, options)
    expect(handled).toEqual(['RegistryOpened', ...births(['a', 'b', 'c'])])
    expect(log.lines.length).toBe(2)
  })
})

describe('a handler of events', () => {
  const poisoned = ({ events }: EventBatch) => {
    if (events.some(({ event }) => 'id' in event.facts && event.facts.id === 'b')) throw new Error('no such address')
  }

  test('stops at what it fails at for good, names it, and stands before it', async () => {
    const verdict = await opened()
    await begun(verdict, 'a', 'b', 'c')
    const { options, handled, saved } = consumer(4, poisoned)
    const stopped = await thrownBy(handleEvents(verdict, options))
    expect(stopped).toMatchObject({
      name: 'EventHandlerStopped',
      code: 'poison_event',
      message: expect.stringMatching(
        /^'mailer' failed at revision 2 of 'registry-default\/default' \(position \d+\), 3 times: no such address$/,
      ),
    })
    expect(handled).toEqual(['RegistryOpened', ...births(['a'])])
    expect((await verdict.log.at(saved.at(-1)?.position ?? 0n))?.revision).toBe(1)
  })

  test('leaves it out where that is its policy, tells so, and goes on behind it', async () => {
    const verdict = await opened()
    await begun(verdict, 'a', 'b', 'c')
    const { options, handled, log } = consumer(3, poisoned)
    await handleEvents(verdict, { ...options, onPoison: 'skip' })
    expect(handled).toEqual(['RegistryOpened', ...births(['a', 'c'])])
    expect(JSON.stringify(log.lines.at(-1))).toContain('It is left out.')
  })

  test('may store the place with its effects: who dies in between has each effect once', async () => {
    const verdict = await opened()
    await begun(verdict, 'a', 'b', 'c')
    const database = { effects: [] as string[], checkpoint: undefined as Checkpoint | undefined }
    const { options } = consumer(4)
    const live = (diesAt: number) => {
      const leaving = new AbortController()
      let handled = 0
      return handleEvents(verdict, {
        ...options,
        signal: leaving.signal,
        batchEventsMax: 1,
        retry: { triesMax: 1 },
        checkpoints: { load: () => database.checkpoint },
        handle({ events, before, checkpoint }) {
          if (handled++ >= diesAt) throw new Error('died')
          // One transaction, with a compare-and-set on the place before.
          if (before?.position !== database.checkpoint?.position) throw new Error('somebody else was here')
          database.effects.push(...events.map(({ event }) => event.type))
          database.checkpoint = checkpoint
          if (database.effects.length === 4) leaving.abort()
        },
      })
    }
    await thrownBy(live(1))
    await thrownBy(live(2))
    await live(99)
    expect(database.effects).toEqual(['RegistryOpened', ...Array(3).fill('OperationRegistered')])
  })

  test('notices that its checkpoint is of another log', async () => {
    const verdict = await opened()
    await begun(verdict, 'a')
    const { options, saved } = consumer(2)
    await handleEvents(verdict, options)
    const other = await opened()
    await begun(other, 'a')
    expect(await thrownBy(handleEvents(other, { ...options, signal: undefined }))).toMatchObject({
      code: 'log_replaced',
      message: expect.stringContaining("'mailer' has followed another log"),
    })
    const wrong = { ...saved.at(-1), hash: 'f'.repeat(64) } as Checkpoint
    const told = thrownBy(handleEvents(verdict, { ...options, signal: undefined, checkpoints: { load: () => wrong } }))
    expect(await told).toMatchObject({ code: 'log_replaced', message: expect.stringContaining('another event now') })
  })

  test.each([
    ['stop', { code: 'unknown_event' }, births(['id-0'])],
    ['skip', undefined, births(['id-0', 'id-2'])],
  ] as const)('of events of a newer Verdict: %s', async (unknownEvents, stopped, expected) => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenByNewer(file)
    const { options, handled } = consumer(2)
    const ended = handleEvents(file, { ...options, unknownEvents }).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (stopped === undefined) expect(await ended).toBeUndefined()
    else expect(await ended).toMatchObject(stopped)
    expect(handled).toEqual(expected)
  })

  test('reads the log of another process at its place, and refuses a place without one', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const verdict = await openedAt(file)
    const { options, handled } = consumer(3)
    await begun(verdict, 'a')
    const handling = handleEvents(file, options)
    await begun(verdict, 'b')
    await handling
    expect(handled).toEqual(['RegistryOpened', ...births(['a', 'b'])])
    expect(await thrownBy(handleEvents(`${file}-none`, options))).toMatchObject({ code: 'log_missing' })
    expect(await thrownBy(handleEvents('memory:', options))).toMatchObject({ code: 'log_missing' })
  })
})

async function writtenByNewer(file: string): Promise<void> {
  const store = await openSqliteStore({ path: file })
  await store.append('registry-default/a', 'no_stream', unknownBetween('registry-default/a'))
  await store.close()
}

describe('what a consumer gets wrong', () => {
  test.each([
    [{ from: 'middle' }, 'from: expected "beginning" or "end", got middle'],
    [{ onPoison: 'ignore' }, 'onPoison: expected "stop" or "skip", got ignore'],
    [{ unknownEvents: 'park' }, 'unknownEvents: expected "stop" or "skip", got park'],
    [
      { onPoisson: 'skip' },
      'there is no option "onPoisson": it is one of name, handle, checkpoints, signal, from, batchEventsMax, retry, onPoison, unknownEvents, log, clock',
    ],
  ])('in its options (%j) is refused in a sentence', async (wrong, message) => {
    const verdict = await opened('memory')
    const { options, handled } = consumer(1)
    await expect(handleEvents(verdict, { ...options, ...(wrong as object) })).rejects.toMatchObject({
      name: 'SettingsError',
      message,
    })
    expect(handled).toEqual([])
  })

  const good = { logId: 'l', timeline: 1, position: 5n, hash: 'h' }
  test.each([
    [
      'a position that came back as a text',
      { ...good, position: '5' },
      '{ logId: string, timeline: number, position: string, hash: string }',
    ],
    [
      'a checkpoint without its hash',
      { ...good, hash: undefined },
      '{ logId: string, timeline: number, position: bigint, hash: undefined }',
    ],
    ['the null of a database', null, 'null'],
  ])('in its checkpoint store (%s) stops it in a sentence', async (_, stored, got) => {
    const verdict = await opened('memory')
    const { options, handled } = consumer(1)
    // What a store gives at run time need not be what its type says.
    const checkpoints = { load: () => stored as unknown as Checkpoint }
    await expect(handleEvents(verdict, { ...options, checkpoints })).rejects.toMatchObject({
      name: 'EventHandlerStopped',
      code: 'bad_checkpoint',
      message: `The checkpoint store of 'mailer' gave no checkpoint: expected { logId: string, timeline: number, position: bigint, hash: string }, or undefined for none, got ${got}.`,
    })
    expect(handled).toEqual([])
  })
})
