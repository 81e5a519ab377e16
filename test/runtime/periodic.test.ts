import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { Periodic } from '../../src/runtime/periodic.ts'

function duty(nextMs: () => number | Promise<number> = () => 1_000) {
  const clock = new HandMovedClock()
  const begun: number[] = []
  const errors: unknown[] = []
  const periodic = new Periodic({
    clock,
    pass: async () => {
      begun.push(clock.monotonicNow())
      return await nextMs()
    },
    intervalMinMs: 100,
    intervalMaxMs: 5_000,
    onError: (error) => errors.push(error),
  })
  return { clock, begun, errors, periodic }
}

describe('a duty that is done again and again', () => {
  test('passes at once, then when its last pass said, between its shortest and its longest interval', async () => {
    const answers = [1_000, 0, Number.POSITIVE_INFINITY, 300]
    const { clock, begun, periodic } = duty(() => answers.shift() ?? 5_000)
    periodic.start()
    periodic.start()
    await clock.advance(6_399)
    expect(begun).toEqual([0, 1_000, 1_100, 6_100])
    await clock.advance(1)
    expect(begun).toEqual([0, 1_000, 1_100, 6_100, 6_400])
  })

  test('is woken early, but not before the shortest interval is over, and never later for it', async () => {
    const { clock, begun, periodic } = duty()
    periodic.wakeWithin(0)
    periodic.start()
    await clock.advance(10)
    periodic.wakeWithin(0)
    periodic.wakeWithin(800)
    await clock.advance(90)
    expect(begun).toEqual([0, 100])
    await clock.advance(999)
    periodic.wakeWithin(2_000)
    await clock.advance(1)
    expect(begun).toEqual([0, 100, 1_100])
  })

  test('never has two passes at once: who wants another one waits for its turn, and a wake in between is kept', async () => {
    let finish = (_ms: number) => {}
    const { clock, begun, periodic } = duty(() => new Promise<number>((resolve) => (finish = resolve)))
    periodic.start()
    await clock.advance(0)
    let isAlone = false
    const alone = periodic.alone(async () => {
      isAlone = true
      return 'done'
    })
    periodic.wakeWithin(200)
    await clock.advance(1_000)
    expect([begun.length, isAlone]).toEqual([1, false])
    finish(5_000)
    expect(await alone).toBe('done')
    await clock.advance(100)
    expect(begun).toEqual([0, 1_100])
    finish(5_000)
  })

  test('that throws says so and tries again after its longest interval', async () => {
    const { clock, begun, errors, periodic } = duty(() => {
      throw new Error('no')
    })
    periodic.start()
    await clock.advance(5_000)
    expect(begun).toEqual([0, 5_000])
    expect(errors).toHaveLength(2)
  })

  test('can be stopped before it started, twice, and in the middle of a pass, whose end is waited for', async () => {
    const early = duty()
    await early.periodic.stop()
    await early.periodic.stop()
    early.periodic.start()
    await early.clock.advance(10_000)
    expect(early.begun).toEqual([])
    await expect(early.periodic.alone(async () => 1)).rejects.toThrow()

    let finish = (_ms: number) => {}
    const { clock, begun, errors, periodic } = duty(() => new Promise<number>((resolve) => (finish = resolve)))
    periodic.start()
    await clock.advance(0)
    let isStopped = false
    const stopped = periodic.stop().then(() => {
      isStopped = true
    })
    await clock.advance(10_000)
    expect(isStopped).toBe(false)
    finish(0)
    await stopped
    await clock.advance(10_000)
    expect([begun.length, errors]).toEqual([1, []])
  })
})
