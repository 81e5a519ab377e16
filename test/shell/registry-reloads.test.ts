import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { RegistryReloads } from '../../src/shell/registry-reloads.ts'
import { answered, openShell, turns } from './support/nodes.ts'

/** Room for one registry of one operation, not for two. */
const HOT = 10_000

function reloading() {
  const clock = new HandMovedClock()
  const told: string[] = []
  const reloads = new RegistryReloads({
    clock,
    log: { warn: (_facts, message) => told.push(message) },
    hotBytesMax: HOT,
  })
  const again = (times: number) => {
    for (let i = 0; i < times; i++) {
      reloads.letGo(`registry-${i}`)
      reloads.loading(`registry-${i}`)
    }
  }
  return { clock, told, reloads, again }
}

const SENTENCE =
  'the registries in use take more than hotBytesMax (10000 bytes): 100 were loaded again within 10 s, soon after they had been ' +
  'let go to make room, and commands wait for that; raise the setting, or the heap of Node (--max-old-space-size), of which ' +
  'it is a quarter by default'

describe('registries that are loaded again', () => {
  test('soon after they were let go count, each time', () => {
    const { reloads, again } = reloading()
    reloads.loading('first')
    expect(reloads.total).toBe(0)
    again(3)
    again(3)
    expect(reloads.total).toBe(6)
  })

  test('half a minute later count, a minute later no more', async () => {
    const { clock, reloads } = reloading()
    for (const stream of ['one', 'two']) reloads.letGo(stream)
    await clock.advance(29_999)
    reloads.loading('one')
    expect(reloads.total).toBe(1)
    await clock.advance(30_001)
    reloads.loading('two')
    expect(reloads.total).toBe(1)
  })

  test('a hundred times in ten seconds are told in a sentence that names the setting, and again after ten minutes', async () => {
    const { clock, told, again } = reloading()
    again(99)
    expect(told).toEqual([])
    again(1)
    expect(told).toEqual([SENTENCE])
    for (let minute = 0; minute < 9; minute++) {
      await clock.advance(60_000)
      again(150)
    }
    expect(told).toEqual([SENTENCE])
    await clock.advance(60_000)
    again(100)
    expect(told).toEqual([SENTENCE, SENTENCE])
  })

  test('now and then are told to nobody', async () => {
    const { clock, told, reloads, again } = reloading()
    for (let i = 0; i < 20; i++) {
      again(50)
      await clock.advance(10_001)
    }
    expect({ told, total: reloads.total }).toEqual({ told: [], total: 1_000 })
  })

  test('are remembered up to a bound, the last ones that were let go', () => {
    const { reloads } = reloading()
    for (let i = 0; i < 100_000; i++) reloads.letGo(`registry-${i}`)
    for (let i = 0; i < 100_000 - 32_768; i++) reloads.loading(`registry-${i}`)
    expect(reloads.total).toBe(0)
    for (let i = 100_000 - 16_384; i < 100_000; i++) reloads.loading(`registry-${i}`)
    expect(reloads.total).toBe(16_384)
  })
})

test('a node with room for one of two registries that are used in turns says so', async () => {
  const told: string[] = []
  const shell = openShell({ settings: { hotBytesMax: HOT }, log: { warn: (_facts, message) => told.push(message) } })
  const owner = (i: number) => ({ workspace: 'default', owner: `owner-${i}` })
  for (let i = 0; i < 2; i++) await answered(shell, { type: 'RegisterOperation', id: 'a', kind: 'test' }, {}, owner(i))
  for (let i = 0; shell.hot.reloads < 100; i++) {
    expect(i).toBeLessThan(1_000)
    await shell.list(owner(i % 2))
    await turns()
  }
  expect({ told, registries: shell.hot.registries }).toEqual({ told: [SENTENCE], registries: 1 })
  await shell.close()
})
