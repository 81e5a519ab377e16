import { describe, expect, test } from 'vitest'
import type { CommandResult } from '../../src/authority/command-answer.ts'
import { AttemptAborted, OperationCancelled, OperationFailed } from '../../src/client/operation-errors.ts'
import type { OperationHandle } from '../../src/client/operation-handle.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { RecordingLog } from '../support/recording-log.ts'
import {
  freshFolder,
  opened,
  openedAt,
  openedThrough,
  refusalOf,
  STORES,
  thrownBy,
  untilAborted,
} from './support/opened-verdict.ts'

const eventsOf = async (handle: OperationHandle) => (await handle.history()).map(({ event }) => event.type)

describe.each(STORES)('a function as an operation, on %s', (store) => {
  test('is registered, claimed and stored in one command when start returns', async () => {
    const verdict = await opened(store, { actor: 'importer', worker: { host: 'here', pid: 7 } })
    const { promise: open, resolve: finish } = Promise.withResolvers<void>()
    const handle = await verdict.start(
      'export',
      {
        owner: 'acme',
        id: 'march',
        key: 'orders-2026',
        name: 'March report',
        source: 'nightly',
        labels: { team: 'billing' },
        input: { month: 3 },
        policy: { staleAfter: '2m', maxRuntime: '2h' },
        commandId: 'begin-1',
      },
      () => open,
    )
    const [registered, started, ...others] = await handle.history()
    expect(others).toEqual([])
    expect(registered).toMatchObject({
      revision: 1,
      event: {
        type: 'OperationRegistered',
        facts: {
          id: 'march',
          kind: 'export',
          key: 'orders-2026',
          policy: { staleAfterMs: 120_000, maxRuntimeMs: 7_200_000 },
        },
        content: { name: 'March report', source: 'nightly', labels: { team: 'billing' }, input: { month: 3 } },
      },
      metadata: { commandId: 'begin-1', actor: 'importer', index: 1, count: 3 },
    })
    expect(started).toMatchObject({
      revision: 2,
      event: {
        type: 'OperationStarted',
        facts: { attempt: 1, claimant: { id: 'begin-1', host: 'here', pid: 7 } },
      },
      metadata: { commandId: 'begin-1', index: 2, count: 3 },
    })
    finish()
    expect(await handle.outcome()).toEqual({ status: 'completed', result: null })
  })

  test('completes with what it returns', async () => {
    const verdict = await opened(store)
    const handle = await verdict.start('sum', { input: [1, 2, 3] }, ({ input }) => ({
      sum: input.reduce((sum, one) => sum + one, 0),
    }))
    expect(await handle.result()).toEqual({ sum: 6 })
    expect(await handle.outcome()).toEqual({ status: 'completed', result: { sum: 6 } })
    expect(await verdict.execute('sum', {}, () => 'done')).toBe('done')
  })

  test('fails with what it throws: message, code, details, never a stack', async () => {
    const verdict = await opened(store)
    const handle = await verdict.start('import', {}, () => {
      throw Object.assign(new Error('row 7 is broken'), { code: 'bad_row', details: { row: 7 } })
    })
    const outcome = { status: 'failed', error: { message: 'row 7 is broken', code: 'bad_row', details: { row: 7 } } }
    expect(await handle.outcome()).toEqual(outcome)
    const thrown = await thrownBy(handle.result())
    expect(thrown).toBeInstanceOf(OperationFailed)
    expect(thrown).toMatchObject({ operationId: handle.id, code: 'bad_row', outcome })
  })

  test('is cancelled when it follows a cancel, and says whose wish it was', async () => {
    const verdict = await opened(store)
    let reason: unknown
    const handle = await verdict.start('slow', {}, async (attempt) => {
      await untilAborted(attempt).catch((error) => {
        reason = error
        throw error
      })
    })
    expect(await handle.cancel({ reason: 'customer asked' })).toMatchObject({ changed: true, cancelRequested: true })
    expect(await handle.outcome()).toEqual({ status: 'cancelled', reason: 'customer asked' })
    expect(reason).toBeInstanceOf(AttemptAborted)
    expect(reason).toMatchObject({ name: 'AbortError', why: 'cancel_requested', operationId: handle.id })
    const thrown = await thrownBy(handle.result())
    expect(thrown).toBeInstanceOf(OperationCancelled)
    expect(thrown).toMatchObject({ operationId: handle.id, code: 'cancelled' })
  })

  test('joins an active operation of its key, and its function is not run', async () => {
    const verdict = await opened(store)
    const { promise, resolve } = Promise.withResolvers<string>()
    const first = await verdict.start('export', { key: 'orders' }, () => promise)
    let ran = false
    const second = await verdict.start('export', { key: 'orders' }, () => {
      ran = true
    })
    expect([first.joined, second.joined, second.id]).toEqual([false, true, first.id])
    resolve('by the first')
    expect(await second.result()).toBe('by the first')
    expect(ran).toBe(false)
  })
})

describe('what becomes of a function', () => {
  test('a throw of its own after a cancel is a failure, not a cancel', async () => {
    const verdict = await opened()
    const handle = await verdict.start('slow', {}, async (attempt) => {
      await untilAborted(attempt).catch(() => {})
      throw new Error('could not clean up')
    })
    await handle.cancel()
    expect(await handle.outcome()).toEqual({ status: 'failed', error: { message: 'could not clean up' } })
  })

  test('an AbortError behind another error is a cancel all the same', async () => {
    const verdict = await opened()
    const handle = await verdict.start('slow', {}, (attempt) =>
      untilAborted(attempt).catch((cause) => {
        throw new Error('the request was aborted', { cause })
      }),
    )
    await handle.cancel()
    expect(await handle.outcome()).toEqual({ status: 'cancelled' })
  })

  test('one that ends its work in spite of a cancel has completed', async () => {
    const verdict = await opened()
    const handle = await verdict.start('slow', {}, (attempt) => untilAborted(attempt).catch(() => 'all done'))
    await handle.cancel()
    expect(await handle.result()).toBe('all done')
  })

  test('aborting the signal that it was started with stops it at once and requests the cancel', async () => {
    const verdict = await opened()
    const caller = new AbortController()
    const handle = await verdict.start('slow', { signal: caller.signal }, untilAborted)
    caller.abort(new Error('the request was closed'))
    expect(await handle.outcome()).toEqual({ status: 'cancelled', reason: 'the request was closed' })
    expect(await eventsOf(handle)).toEqual([
      'OperationRegistered',
      'OperationStarted',
      'CancelRequested',
      'OperationCancelled',
    ])
  })

  test('a signal that is aborted before begins nothing', async () => {
    const verdict = await opened()
    await expect(verdict.start('slow', { signal: AbortSignal.abort('too late') }, () => 1)).rejects.toBe('too late')
    expect(await verdict.operations.count()).toMatchObject({ count: 0, isExact: true })
  })

  test.each([
    ['a bigint', 1n, 'invalid_command'],
    ['a cycle', cycle(), 'invalid_command'],
    ['an unsafe number', 2 ** 53, 'unsafe_number'],
    ['more than an event holds', 'x'.repeat(70_000), 'content_too_large'],
  ])('a result that can not be stored (%s) fails the operation and says why', async (_, result, code) => {
    const verdict = await opened()
    const handle = await verdict.start('odd', {}, () => result)
    expect(await handle.outcome()).toMatchObject({
      status: 'failed',
      error: { code, message: expect.stringMatching(/^it ran to its end, but could not be completed: /) },
    })
  })

  test('an error that can not be stored is stored without its details', async () => {
    const verdict = await opened()
    const handle = await verdict.start('odd', {}, () => {
      throw Object.assign(new Error('broken'), { code: 'odd', details: { tooBig: 1n } })
    })
    expect(await handle.outcome()).toEqual({ status: 'failed', error: { message: 'broken', code: 'odd' } })
  })

  test.each([
    ['a text', 'no'],
    ['nothing', undefined],
    ['null', null],
  ])('%s that is thrown is its message', async (_, thrown) => {
    const verdict = await opened()
    const handle = await verdict.start('odd', {}, () => {
      throw thrown
    })
    expect(await handle.outcome()).toEqual({ status: 'failed', error: { message: String(thrown) } })
  })

  test('one that lost its operation is told so, and what it claims afterwards is on record', async () => {
    const log = new RecordingLog()
    const verdict = await opened('memory', { log })
    const { promise: aborted, resolve: tellAborted } = Promise.withResolvers<unknown>()
    const { promise: held, resolve: finish } = Promise.withResolvers<void>()
    const handle = await verdict.start('slow', {}, async ({ signal }) => {
      signal.addEventListener('abort', () => tellAborted(signal.reason))
      await held
      return 'I did it'
    })
    await handle.forceCancel({ reason: 'operator' })
    expect(await aborted).toMatchObject({ why: 'ended' })
    finish()
    const contradicted = async () => (await handle.snapshot())?.contradictions === 1
    await expect.poll(contradicted).toBe(true)
    expect(await handle.outcome()).toEqual({ status: 'cancelled', reason: 'operator' })
    await expect
      .poll(() => log.lines)
      .toMatchObject([{ facts: { operationId: handle.id, report: 'complete', code: 'already_terminal' } }])
  })

  test('its end is reported again under the same command id until the answer is known', async () => {
    const clock = new HandMovedClock()
    const sent: (string | undefined)[] = []
    const log = new RecordingLog()
    const verdict = await openedThrough(
      (door) => ({
        // What is stored is stored; only the way back is lost, twice.
        send: async (registry, command, options): Promise<CommandResult> => {
          const result = await door.send(registry, command, options)
          if (command.type !== 'CompleteOperation') return result
          sent.push(options?.commandId)
          if (sent.length > 2) return result
          const place = { revision: -1, position: 0n }
          return { type: 'refused', place, rejection: { code: 'outcome_unknown', message: 'nobody knows', facts: {} } }
        },
      }),
      { clock, log },
    )
    const handle = await verdict.start('sum', {}, () => 42)
    await clock.advance(60_000)
    expect(await handle.result()).toBe(42)
    expect(sent).toHaveLength(3)
    expect(new Set(sent).size).toBe(1)
    expect(await eventsOf(handle)).toEqual(['OperationRegistered', 'OperationStarted', 'OperationCompleted'])
    expect(log.lines).toMatchObject([{ facts: { operationId: handle.id, code: 'outcome_unknown' } }])
  })

  test('one registration that is sent twice runs one function', async () => {
    const verdict = await opened()
    const { promise, resolve } = Promise.withResolvers<void>()
    let runs = 0
    const start = () =>
      verdict.start('once', { id: 'a', commandId: 'c' }, async () => {
        runs++
        await promise
      })
    const [first, second] = await Promise.all([start(), start()])
    resolve()
    expect(await Promise.all([first.outcome(), second.outcome()])).toEqual([
      { status: 'completed', result: null },
      { status: 'completed', result: null },
    ])
    expect(runs).toBe(1)
    expect((await start()).joined).toBe(false)
    expect(runs).toBe(1)
  })

  test('without a function the handle carries the lease', async () => {
    const verdict = await opened()
    const { lease, ...handle } = await verdict.start('by hand', { id: 'a' })
    expect(lease).toMatchObject({ id: 'a', attempt: 1, leaseEpoch: 2 })
    await lease?.complete('by hand')
    expect(await verdict.operation(handle.id).result()).toBe('by hand')
  })
})

describe('signs of life of a function', () => {
  test('are kept for it, so that it stays fresh for as long as it runs', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock })
    const handle = await verdict.start('slow', { policy: { staleAfter: '2m' } }, untilAborted)
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(60_000)
      expect((await handle.snapshot())?.judgement.freshness).toBe('fresh')
    }
  })

  test('end with it: a function that is gone is found stale', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock, reconciler: false })
    const { lease } = await verdict.start('by hand', { id: 'a', policy: { staleAfter: '2m' } })
    await lease?.heartbeat()
    await clock.advance(60_000)
    expect((await verdict.operations.get('a'))?.judgement.freshness).toBe('fresh')
    await clock.advance(91_000)
    expect((await verdict.operations.get('a'))?.judgement).toMatchObject({ freshness: 'likely_stale', rule: 'sign' })
    expect((await verdict.operations.list({ attention: true })).operations.map(({ id }) => id)).toEqual(['a'])
  })

  test('of progress that comes too fast are few, and the last one is kept', async () => {
    const verdict = await opened()
    const handle = await verdict.start('rows', {}, ({ progress }) => {
      for (let row = 1; row <= 10_000; row++) progress({ processed: row, total: 10_000, message: `row ${row}` })
    })
    await handle.result()
    const snapshot = await handle.snapshot()
    expect(snapshot?.progress).toMatchObject({ processed: 10_000, total: 10_000, message: 'row 10000' })
    expect(snapshot?.progress.count).toBeLessThan(10)
  })

  test('of progress that is refused are logged, and the function goes on', async () => {
    const log = new RecordingLog()
    const verdict = await opened('memory', { log })
    expect(
      await verdict.execute('rows', {}, ({ progress }) => {
        progress({ percent: Number.NaN })
        return 'went on'
      }),
    ).toBe('went on')
    expect(log.lines).toMatchObject([
      { facts: { code: 'invalid_command' }, message: 'a report of progress was refused' },
    ])
  })
})

describe('phases of a function', () => {
  test('start, complete and fail in order, each on record', async () => {
    const verdict = await opened('memory', { kinds: { load: { phases: ['read', 'write'] } } })
    const handle = await verdict.start('load', {}, async ({ phase }) => {
      const rows = await phase('read', () => [1, 2])
      return await phase('write', async () => rows.length)
    })
    expect(await handle.result()).toBe(2)
    expect((await handle.snapshot())?.phases).toMatchObject([
      { name: 'read', status: 'completed', result: [1, 2] },
      { name: 'write', status: 'completed', result: 2 },
    ])
    const broken = await verdict.start('load', {}, ({ phase }) =>
      phase('read', () => {
        throw new Error('no such file')
      }),
    )
    expect(await broken.outcome()).toEqual({ status: 'failed', error: { message: 'no such file' } })
    expect((await broken.snapshot())?.phases).toMatchObject([
      { name: 'read', status: 'closed', error: { message: 'no such file' } },
      { name: 'write', status: 'closed' },
    ])
  })

  test('that were left out fail the operation, which can not be completed', async () => {
    const verdict = await opened('memory', { kinds: { load: { phases: ['read', 'write'] } } })
    const handle = await verdict.start('load', {}, ({ phase }) => phase('read', () => 1))
    expect(await handle.outcome()).toMatchObject({ status: 'failed', error: { code: 'phases_unfinished' } })
  })

  test('out of order are refused to the function', async () => {
    const verdict = await opened('memory', { kinds: { load: { phases: ['read', 'write'] } } })
    const handle = await verdict.start('load', {}, ({ phase }) => phase('write', () => 1))
    expect(await handle.outcome()).toMatchObject({ status: 'failed', error: { code: 'phase_out_of_order' } })
  })

  test('that an earlier attempt completed are not run again: their results are there', async () => {
    const verdict = await opened()
    const { lease } = await verdict.start('load', {
      id: 'a',
      input: { file: 'x' },
      policy: { retry: { maxAttempts: 2 } },
    })
    await lease?.startPhase('read')
    await lease?.completePhase('read', { rows: 3 })
    await lease?.retry(new Error('lost the database'), { notBefore: 0 })
    const ran: string[] = []
    const resumed = await verdict.resume('a', {}, async ({ phase, attempt, input }) => {
      const read = await phase('read', () => {
        ran.push('read')
        return { rows: 0 }
      })
      await phase('write', () => {
        ran.push('write')
      })
      return { ...read, attempt, input }
    })
    expect(await resumed.result()).toEqual({ rows: 3, attempt: 2, input: { file: 'x' } })
    expect(ran).toEqual(['write'])
  })

  test('whose results are carried over into a new operation are not run either', async () => {
    const verdict = await opened()
    const failed = await verdict.start('load', { id: 'a' }, async ({ phase }) => {
      await phase('read', () => 'rows')
      throw new Error('no disk')
    })
    await failed.outcome()
    const { number = -1 } = failed
    const again = await verdict.start(
      'load',
      { retryOf: { id: 'a', number }, phaseResults: { read: 'rows' } },
      ({ phase }) => phase('read', () => 'read twice'),
    )
    expect(await again.result()).toBe('rows')
    expect((await again.snapshot())?.retryOf).toEqual({ id: 'a', number })
  })
})

describe('closing', () => {
  test('stops the functions, reports what they then do, and tells who waits elsewhere', async () => {
    const folder = freshFolder()
    const first = await openedAt(`${folder}/verdict.db`)
    await first.start('slow', { id: 'follows' }, untilAborted)
    await first.start('slow', { id: 'finishes' }, (attempt) => untilAborted(attempt).catch(() => 'in time'))
    await first.start('slow', { id: 'again', policy: { retry: { maxAttempts: 2 } } }, untilAborted)
    await first.close()
    const second = await openedAt(`${folder}/verdict.db`)
    const outcomeOf = async (id: string) => (await second.operations.get(id))?.outcome
    expect(await outcomeOf('follows')).toMatchObject({ status: 'failed', error: { code: 'worker_stopped' } })
    expect(await outcomeOf('finishes')).toEqual({ status: 'completed', result: 'in time' })
    expect(await second.operations.get('again')).toMatchObject({
      status: 'provisioning',
      attempt: 2,
      diagnostics: { lastError: { code: 'worker_stopped' } },
    })
  })

  test('does not wait for ever: what does not follow is named in the log', async () => {
    const clock = new HandMovedClock()
    const log = new RecordingLog()
    const verdict = await opened('memory', { clock, log })
    await verdict.start('deaf', { id: 'deaf' }, () => new Promise(() => {}))
    const closing = verdict.close({ grace: '5s' })
    await clock.advance(5_000)
    await closing
    expect(log.lines).toEqual([
      {
        facts: { operationId: 'deaf', leaseEpoch: 2 },
        message: 'still ran when this process closed: its end will not be reported',
      },
    ])
  })

  test('twice is once, and afterwards everything is refused', async () => {
    const verdict: Verdict = await opened()
    const waiting = thrownBy((await verdict.register('a', { id: 'a' })).outcome())
    await Promise.all([verdict.close(), verdict.close(), verdict[Symbol.asyncDispose]()])
    expect(await waiting).toMatchObject({ name: 'ChannelClosed', code: 'channel_closed', reason: 'shutdown' })
    expect(await refusalOf(verdict.start('b', {}, () => 1))).toMatchObject({ code: 'shutting_down', retryable: false })
    expect(await refusalOf(verdict.register('b'))).toMatchObject({ code: 'shutting_down' })
  })
})

function cycle(): unknown {
  const ring: Record<string, unknown> = {}
  ring.itself = ring
  return ring
}
