import { describe, expect, test } from 'vitest'
import { PLANTED_FAULTS, type PlantedFault } from './support/planted-fault.ts'
import { simulate } from './support/simulation.ts'

/** Here; `npm run simulate -- --seeds N` runs as many as one likes. */
const SEEDS = 20
/** Within so many seeds each planted fault is found. */
const SEEDS_TO_FIND = 80
const TIMEOUT = { timeout: 300_000 }

describe('the whole server, simulated', () => {
  test('comes to one true end of everything, whatever dies, lies or is late on the way', TIMEOUT, async () => {
    const failed: string[] = []
    const met = { crashes: 0, reconciled: 0, commands: 0 }
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { faults, crashes, reconciled, commands } = await simulate({ seed })
      met.crashes += crashes
      met.reconciled += reconciled
      met.commands += commands
      if (faults.length > 0) failed.push(`npm run simulate -- --seed ${seed}: ${faults[0]}`)
    }
    expect(failed).toEqual([])
    // Something has happened.
    expect(Object.entries(met).filter(([, count]) => count < SEEDS)).toEqual([])
  })

  test('is the same story from the same seed, step for step', TIMEOUT, async () => {
    const [one, again, other] = [await simulate({ seed: 7 }), await simulate({ seed: 7 }), await simulate({ seed: 8 })]
    expect(again).toEqual(one)
    expect(other.lastHash).not.toBe(one.lastHash)
  })

  test.each(Object.keys(PLANTED_FAULTS) as PlantedFault[])('finds that %s', TIMEOUT, async (planted) => {
    for (let seed = 1; seed <= SEEDS_TO_FIND; seed++) {
      const { faults } = await simulate({ seed, planted })
      if (faults.length > 0) return
    }
    throw new Error(`${planted} was not found within ${SEEDS_TO_FIND} seeds: ${PLANTED_FAULTS[planted]}`)
  })
})
