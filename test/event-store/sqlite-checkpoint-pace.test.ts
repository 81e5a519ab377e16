import { describe, expect, test } from 'vitest'
import { CheckpointPace } from '../../src/event-store/sqlite-checkpoint-pace.ts'

const MIB = 1024 * 1024

/**
 * A writer that does nothing but commit and copy: commits of so many bytes take so long each, a copy so long by what it copies.
 * Gives how many bytes each copy had before it.
 */
function copiesOf({ commits, commitBytes, commitMs, flushMs, msPerMib }: Load): { copies: number[]; share: number } {
  const pace = new CheckpointPace()
  const copies: number[] = []
  let now = 0
  let bytes = 0
  let copyMs = 0
  for (let made = 0; made < commits; made++) {
    now += commitMs
    bytes += commitBytes
    pace.wrote(commitBytes, now)
    if (!pace.isDue(now)) continue
    const ms = flushMs + (bytes / MIB) * msPerMib
    pace.made(now, now + ms)
    copies.push(bytes)
    now += ms
    copyMs += ms
    bytes = 0
  }
  return { copies, share: copyMs / now }
}

interface Load {
  readonly commits: number
  readonly commitBytes: number
  readonly commitMs: number
  readonly flushMs: number
  readonly msPerMib: number
}

describe('copies of the write-ahead log', () => {
  test('are small where they are quick', () => {
    const { copies } = copiesOf({ commits: 1_000, commitBytes: 8 * 1024, commitMs: 0.25, flushMs: 0.25, msPerMib: 2 })
    expect(new Set(copies)).toEqual(new Set([0.5 * MIB]))
    expect(copies.length).toBe(Math.floor(1_000 / 64))
  })

  test('become larger and fewer where flushing is slow, and take a tenth of the time', () => {
    const { copies, share } = copiesOf({
      commits: 4_000,
      commitBytes: 32 * 1024,
      commitMs: 4,
      flushMs: 12,
      msPerMib: 2,
    })
    expect(Math.min(...copies.slice(1))).toBeGreaterThan(0.5 * MIB)
    expect(Math.max(...copies)).toBeLessThan(4 * MIB)
    expect(share).toBeLessThan(0.105)
  })

  test('are made after 4 MiB, however long they take', () => {
    const { copies } = copiesOf({ commits: 4_000, commitBytes: 32 * 1024, commitMs: 0.5, flushMs: 500, msPerMib: 2 })
    const [first, ...others] = copies
    expect(first).toBe(0.5 * MIB)
    expect(new Set(others)).toEqual(new Set([4 * MIB]))
  })

  test('are made of what is left when nothing was written for a while, once', () => {
    const pace = new CheckpointPace()
    expect(pace.isRemainderDue(10_000)).toBe(false)
    pace.wrote(100, 10_000)
    expect([pace.isDue(10_249), pace.isRemainderDue(10_249), pace.isRemainderDue(10_250)]).toEqual([false, false, true])
    pace.made(10_250, 10_251)
    expect(pace.isRemainderDue(20_000)).toBe(false)
  })
})
