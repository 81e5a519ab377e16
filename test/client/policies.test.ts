import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { EmbeddedVerdict } from '../../src/app/embedded-verdict.ts'
import { openVerdict } from '../../src/app.ts'
import { SettingsError } from '../../src/config.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { openRig } from '../reconciler/support/rig.ts'
import { freshFolder, opened, openedAt, refusalOf, STORES, thrownBy } from './support/opened-verdict.ts'

describe('timing rules of kinds', () => {
  const told = async (options: Parameters<typeof openVerdict>[1]) => {
    const error = await thrownBy(openVerdict('memory:', options))
    expect(error).toBeInstanceOf(SettingsError)
    return (error as SettingsError).message.split('\n')
  }

  test('B5: that do not hold stop the start, all of them told at once with kind, numbers, rule and way out', async () => {
    const queue = { retryAfter: '90s', safetyMargin: '10s', workerStopWait: '1m' }
    const kinds = {
      good: { policy: { staleAfter: '15m' } },
      beats: { policy: { staleAfter: '1m', heartbeatInterval: '30s' } },
      queued: { policy: { maxRuntime: '80s', queue } },
    }
    expect(await told({ kinds })).toEqual([
      'policy of kind "beats": 2 x heartbeatIntervalMs + 1000 < staleAfterMs does not hold (heartbeatIntervalMs = 30000, staleAfterMs = 60000): raise staleAfterMs, or send heartbeats more often',
      'policy of kind "queued": maxRuntimeMs < queue.retryAfterMs - queue.safetyMarginMs does not hold (maxRuntimeMs = 80000, retryAfterMs = 90000, safetyMarginMs = 10000): raise retryAfterMs or lower maxRuntimeMs, or the queue hands out the job again while it still runs',
      'policy of kind "queued": queue.workerStopWaitMs > maxRuntimeMs does not hold (workerStopWaitMs = 60000, maxRuntimeMs = 80000): raise workerStopWaitMs, or a stopping worker is killed in the middle of its longest job',
    ])
  })

  test('B5: hold across kinds and settings', async () => {
    const kinds = { k: { policy: { progressTimeout: '5s' } } }
    expect(await told({ kinds, settings: { progressCoalesceMs: 5_000 } })).toEqual([
      expect.stringMatching(/^policy of kind "k": progressCoalesceMs < progressTimeoutMs does not hold/),
    ])
    await (await openVerdict('memory:', { kinds, settings: { progressCoalesceMs: 4_999 } })).close()
  })

  test('B5: that an operation breaks by its own policy refuse it, the settings of its node included', async () => {
    const verdict = await opened('memory', { settings: { progressCoalesceMs: 5_000 } })
    expect(await refusalOf(verdict.register('k', { policy: { progressTimeout: '5s' } }))).toMatchObject({
      code: 'policy_violation',
      facts: { kind: 'k', rule: 'progressCoalesceMs < progressTimeoutMs' },
    })
    expect((await verdict.owner('default').overview()).revision).toBe(-1)
  })

  test.each([
    [{ policy: { staleAfter: 'soon' } }, 'policy.staleAfter'],
    [{ policy: { staleAfter: -1 } }, 'policy.staleAfter'],
    [{ bounds: { staleAfter: { max: '5 parsecs' } } }, 'bounds.staleAfter.max'],
  ])('name the path of a duration that is none: %j', async (definition, where) => {
    expect(await told({ kinds: { k: definition } })).toEqual([expect.stringContaining(`kind "k": ${where}: expected`)])
  })
})

describe.each(STORES)('the policy of an operation, on %s', (store) => {
  const kinds = {
    export: {
      policy: { staleAfter: '90s' },
      bounds: { staleAfter: { min: '30s', max: '15m' }, maxRuntime: { max: '1h' } },
    },
  }

  test('B16: is its kind\u2019s where it says nothing, in durations as people write them', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened(store, { kinds, clock })
    await verdict.register('export', { id: 'a' })
    const lease = await verdict.claim('a')
    await lease.heartbeat()
    expect((await verdict.operations.get('a'))?.judgement).toMatchObject({ rule: 'first_sign' })
    const [{ event } = {}] = (await verdict.operation('a').history()).slice(0, 1)
    expect(event).toMatchObject({ facts: { policy: { staleAfterMs: 90_000, lateAfterMs: 45_000 } } })
  })

  test.each([
    ['within', '15m', 'answered'],
    ['at the least', '30s', 'answered'],
    ['above', '901s', 'policy_violation'],
    ['below', '29s', 'policy_violation'],
  ])('B16: moves %s the bounds of its kind (%s): %s', async (_, staleAfter, expected) => {
    const verdict = await opened(store, { kinds })
    const asked = verdict.register('export', { id: 'a', policy: { staleAfter } })
    if (expected === 'answered') await asked
    else {
      expect(await refusalOf(asked)).toMatchObject({
        code: expected,
        facts: { kind: 'export', rule: '30000 <= staleAfterMs <= 900000' },
      })
    }
  })
})

test('B16: progressTimeout finds what is alive but stuck, and leaves alone what moves', async () => {
  const rig = await openRig()
  rig.node.reconciler.start()
  const verdict = new EmbeddedVerdict(rig.node)
  const policy = { progressTimeout: '5m', staleAfter: '1m' }
  const [stuck, moving] = await Promise.all(
    ['stuck', 'moving'].map(async (id) => {
      await verdict.register('k', { id, policy })
      return verdict.claim(id)
    }),
  )
  const judged = async (id: string) => (await verdict.operations.get(id))?.judgement
  for (let seconds = 15; seconds <= 300; seconds += 15) {
    expect(await judged('stuck')).toMatchObject({ freshness: 'fresh' })
    await rig.advance(15_000)
    await stuck?.heartbeat()
    await moving?.progress({ processed: seconds })
  }
  expect(await judged('moving')).toMatchObject({ freshness: 'fresh' })
  expect(await verdict.operation('stuck').outcome()).toMatchObject({
    status: 'failed',
    reasonCode: 'run.stalled',
    reconciliation: { evidence: { rule: 'progress' } },
  })
})

test('B16: judges an operation for life, whatever the configuration says after a restart', async () => {
  const clock = new HandMovedClock()
  const location = path.join(freshFolder(), 'verdict.db')
  const first = await openedAt(location, { clock, kinds: { k: { policy: { cancelGrace: '90s' } } } })
  await first.register('k', { id: 'before' })
  await first.claim('before')
  await first.close()
  const second = await openedAt(location, { clock, kinds: { k: { policy: { cancelGrace: '15m' } } } })
  await second.register('k', { id: 'after' })
  await second.claim('after')
  await second.operation('before').cancel()
  await second.operation('after').cancel()
  const deadlineOf = async (id: string) => (await second.operations.get(id))?.cancel?.deadlineAt
  expect([await deadlineOf('before'), await deadlineOf('after')]).toEqual([clock.now() + 90_000, clock.now() + 900_000])
})
