import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { SharedDisk } from '../../src/subscriptions/shared-disk.ts'

const REST_MS_MAX = 10_000
/** So many that the log does not outgrow them in a test. */
const MUCH = 1_000_000
/** Of a checkpoint that nobody waits for. */
const PAGES_DUE = 3_072

interface Beside {
  /** What a flush takes, and of how much it is. */
  readonly flushMs?: number
  readonly pages?: number
  readonly shareMax?: number
  /** Events that come to the log between any two looks at it. */
  readonly grownEachLook?: number
}

function diskBeside({ flushMs = 20, pages = 350, shareMax = 0.02, grownEachLook = 1 }: Beside) {
  const clock = new HandMovedClock()
  const log = { end: 1_000n, grownEachLook }
  const done: string[] = []
  const cancelling = new AbortController()
  const disk = new SharedDisk({
    database: {
      checkpointWhenDue: (pagesDue = PAGES_DUE) => {
        if (pages < pagesDue) return false
        done.push('flushed')
        clock.sleep(flushMs)
        return true
      },
    },
    reader: {
      end: async () => {
        log.end += BigInt(log.grownEachLook)
        return log.end
      },
    },
    clock,
    shareMax,
    end: log.end,
    persistently: async (write) => write(),
    renew: () => done.push('renewed'),
    signal: cancelling.signal,
  })
  return { clock, log, done, disk, cancelling }
}

/** How long it rests, its clock moved until it is over; told to the quarter of a second at which it is looked at. */
async function restedMs({ clock, disk }: ReturnType<typeof diskBeside>, built = MUCH): Promise<number> {
  const startedAt = clock.monotonicNow()
  let isOver = false
  const resting = disk.rest(built).then(() => {
    isOver = true
  })
  for (let i = 0; !isOver && i < 100; i++) await clock.advance(i === 0 ? 0 : 250)
  await resting
  return clock.monotonicNow() - startedAt
}

describe('a rebuild whose rows lie on the disk of the log', () => {
  test('does not rest while the log is quiet, and flushes when that is due', async () => {
    for (const [pages, done] of [
      [PAGES_DUE - 1, []],
      [PAGES_DUE, ['flushed']],
    ] as const) {
      const beside = diskBeside({ grownEachLook: 0, flushMs: 400, pages })
      await beside.disk.flush()
      expect(beside.done).toEqual(done)
      expect(await restedMs(beside)).toBe(0)
    }
  })

  test('flushes no less than a MiB while others write to the log: that takes as long as what they flush', async () => {
    const beside = diskBeside({ flushMs: 400, pages: 255 })
    await beside.disk.flush()
    expect(beside.done).toEqual([])
    expect(await restedMs(beside)).toBe(0)
  })

  test.each([
    ['that is as short as those of the log: goes on', { flushMs: 4 }, 0],
    ['of 20 ms at a share of 2%: rests 980 ms', { flushMs: 20, shareMax: 0.02 }, 1_000],
    ['of 20 ms at a share of 10%: rests 180 ms', { flushMs: 20, shareMax: 0.1 }, 250],
    ['of 20 ms at a share of 1: goes on', { flushMs: 20, shareMax: 1 }, 0],
    ['of a minute: rests ten seconds and no longer', { flushMs: 60_000 }, REST_MS_MAX],
  ])('flushes after a MiB while others write to the log, and behind a flush %s', async (_, given, rests) => {
    const beside = diskBeside(given)
    await beside.disk.flush()
    expect(beside.done).toEqual(['flushed'])
    expect(await restedMs(beside)).toBe(rests)
    expect(await restedMs(beside)).toBe(0)
  })

  test('makes up at once for all that it flushed since its last rest', async () => {
    const beside = diskBeside({ flushMs: 20, shareMax: 0.02 })
    for (let i = 0; i < 3; i++) await beside.disk.flush()
    expect(await restedMs(beside)).toBe(3_000)
  })

  test('renews what it holds while it rests, and goes on when the log is quiet', async () => {
    const beside = diskBeside({ flushMs: 200 })
    await beside.disk.flush()
    const resting = beside.disk.rest(MUCH)
    await beside.clock.advance(500)
    expect(beside.done).toEqual(['flushed', 'renewed', 'renewed'])
    beside.log.grownEachLook = 0
    await beside.clock.advance(250)
    await resting
    expect(beside.done).toEqual(['flushed', 'renewed', 'renewed', 'renewed'])
  })

  test('rests no longer than the log takes to grow by half of all that was built: it gets there under any load', async () => {
    // In 100 ms 5,000 events were built and 500 came: 2,000 more come in 400 ms.
    const beside = diskBeside({ flushMs: 100, grownEachLook: 500 })
    await beside.disk.flush()
    expect(await restedMs(beside, 5_000)).toBe(500)

    const outgrown = diskBeside({ flushMs: 100, grownEachLook: 2_500 })
    await outgrown.disk.flush()
    expect(await restedMs(outgrown, 5_000)).toBe(0)
  })

  test('rests no more once the log has grown by that, however often it flushes: the indexes of a short log are not waited for', async () => {
    const beside = diskBeside({ flushMs: 100, grownEachLook: 500 })
    await beside.disk.flush()
    expect(await restedMs(beside, 3_000)).toBe(250)
    for (let i = 0; i < 12; i++) {
      await beside.disk.flush()
      expect(await restedMs(beside, 3_000)).toBe(0)
    }
  })

  test('is cancelled while it rests', async () => {
    const beside = diskBeside({ flushMs: 200 })
    await beside.disk.flush()
    const resting = beside.disk.rest(MUCH)
    await beside.clock.advance(500)
    beside.cancelling.abort(new Error('cancelled'))
    await expect(resting).rejects.toThrow('cancelled')
  })
})
