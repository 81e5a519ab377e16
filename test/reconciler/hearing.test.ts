import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AliveMarkStore, aliveMarkFile, aliveMarkInMemory } from '../../src/reconciler/alive-mark.ts'
import { clockStanding } from '../../src/reconciler/clock-standing.ts'
import { Hearing } from '../../src/reconciler/hearing.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { testDirectory } from '../shell/support/nodes.ts'

function hearing(mark: AliveMarkStore = aliveMarkInMemory(), clock = new HandMovedClock(1_000_000)) {
  const failures: unknown[] = []
  const reach = { isReachable: true }
  const one = new Hearing({
    clock,
    mark,
    intervalMs: 5_000,
    isReachable: () => reach.isReachable,
    onMarkFailed: (error) => failures.push(error),
  })
  const unheard = () => {
    one.look()
    return one.unheard
  }
  return { clock, one, failures, reach, unheard }
}

describe('the time in which nobody could be heard', () => {
  test('is none while it looks in time', async () => {
    const { clock, one, unheard } = hearing()
    one.start()
    await clock.advance(3_600_000)
    expect(unheard()).toEqual([])
  })

  test('is that of a pause, of a jump ahead, and not of a step back', async () => {
    const { clock, one, unheard } = hearing()
    one.start()
    clock.sleep(60_000)
    expect(unheard()).toEqual([{ from: 1_000_000, to: 1_060_000 }])
    clock.step(3_600_000)
    expect(unheard()).toEqual([{ from: 1_000_000, to: 4_660_000 }])
    clock.step(-3_600_000)
    expect(unheard()).toEqual([{ from: 1_000_000, to: 1_060_000 }])
    await clock.advance(10_000)
    expect(unheard()).toEqual([{ from: 1_000_000, to: 1_060_000 }])
  })

  test('is that in which the log could not be reached', async () => {
    const { clock, one, reach, unheard } = hearing()
    one.start()
    await clock.advance(10_000)
    reach.isReachable = false
    await clock.advance(600_000)
    reach.isReachable = true
    expect(unheard()).toEqual([{ from: 1_010_000, to: 1_610_000 }])
  })

  test('is that between the mark of the process before and the start, and what that process knew of', async () => {
    const place = path.join(testDirectory(), 'alive')
    const first = hearing(aliveMarkFile(place))
    first.one.start()
    await first.clock.advance(10_000)
    first.clock.sleep(100_000)
    await first.clock.advance(20_000)
    first.clock.step(7_200_000)
    // Killed: nothing was said at the end.
    const second = hearing(aliveMarkFile(place), first.clock)
    expect(second.unheard()).toEqual([
      { from: 1_010_000, to: 1_110_000 },
      { from: 1_130_000, to: 8_330_000 },
    ])
    second.one.start()
    await second.clock.advance(1_000)
    await second.one.stop()
    await second.one.stop()
    expect(aliveMarkFile(place).read()).toMatchObject({ aliveAt: 8_331_000 })
  })

  test('is not known of without a mark, nor with a torn one; a place that refuses it is told once', async () => {
    expect(hearing().unheard()).toEqual([])
    const place = path.join(testDirectory(), 'alive')
    const torn = ['', '{"aliveAt":', '{"aliveAt":1}', '{"aliveAt":1,"unheard":[{"from":1}]}', 'null']
    const senseless = [
      '{"aliveAt":1e400,"unheard":[]}',
      '{"aliveAt":-1,"unheard":[]}',
      '{"aliveAt":1000000,"unheard":[{"from":2,"to":1}]}',
    ]
    for (const text of [...torn, ...senseless]) {
      writeFileSync(place, text)
      expect(hearing(aliveMarkFile(place)).unheard()).toEqual([])
    }
    const refused = hearing(aliveMarkFile(path.join(testDirectory(), 'missing', 'alive')))
    refused.one.start()
    await refused.clock.advance(60_000)
    expect(refused.failures).toHaveLength(1)
  })

  test('leaves no mark where it was never started', async () => {
    const mark = aliveMarkInMemory()
    const { clock, one, unheard } = hearing(mark)
    await clock.advance(60_000)
    expect(unheard()).toEqual([])
    await one.stop()
    expect(mark.read()).toBeUndefined()
  })
})

describe('a clock', () => {
  const standing = (newestAt: number, now: number, live?: { at: number; arrivedAt: number }, unheard = [] as never[]) =>
    clockStanding({ newestAt, ...(live === undefined ? {} : { live }) }, now, unheard, 30_000)

  test.each([
    ['with an old last event', standing(0, 9_000_000_000), 'agrees'],
    ['a little behind', standing(130_000, 100_000), 'agrees'],
    ['too far behind what is stored', standing(130_001, 100_000), 'behind'],
    ['a little ahead of another node', standing(100_000, 130_000, { at: 100_000, arrivedAt: 130_000 }), 'agrees'],
    ['too far ahead of another node', standing(100_000, 130_001, { at: 100_000, arrivedAt: 130_001 }), 'apart'],
    ['that was so a while ago', standing(100_000, 190_002, { at: 100_000, arrivedAt: 130_001 }), 'agrees'],
  ])('%s', (_what, { type }, expected) => {
    expect(type).toBe(expected)
  })

  test('is not judged by an event that waited while this node was paused', () => {
    const times = { newestAt: 100_000, live: { at: 100_000, arrivedAt: 200_000 } }
    expect(clockStanding(times, 200_000, [{ from: 110_000, to: 199_000 }], 30_000)).toEqual({ type: 'agrees' })
  })
})
