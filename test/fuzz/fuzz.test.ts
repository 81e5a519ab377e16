import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { edited } from './support/edits.ts'
import { freshSeed, fuzz } from './support/fuzz.ts'
import { fuzzTarget, mustHold } from './support/fuzz-target.ts'
import { TARGETS } from './support/targets.ts'

/** Here; `npm run fuzz -- --minutes N` tries as many inputs as one likes. */
const RUNS = 30
const SEED = 1
const TIMEOUT = { timeout: 300_000 }

describe('what is mutated', () => {
  const fresh = freshSeed()
  console.log(`a seed that nobody has tried: ${fresh}`)

  test.each(TARGETS.map((target) => [target.name, target] as const))(
    'is taken as what it says or refused by name: %s',
    TIMEOUT,
    async (_name, target) => {
      for (const seed of [SEED, fresh]) expect((await fuzz(target, seed, RUNS)).fault).toBeUndefined()
    },
  )
})

describe('a fuzzer', () => {
  const planted = (seen: string[]) =>
    fuzzTarget<string>({
      name: 'planted',
      about: 'a fault that only some inputs show',
      runs: 2_000,
      open: async () => ({
        inputs: edited(fc.constant('{"known":{"name":"x","number":12345}}'), 'json'),
        check: (text) => {
          seen.push(text)
          mustHold(!text.includes('"number":9007199254740993'), () => 'a number was rounded')
        },
      }),
    })

  test('tells the smallest input that fails, and how to play it again', async () => {
    const { fault } = await fuzz(planted([]), 7)
    expect(fault).toMatch(
      /^a number was rounded\n {2}"\{\\"known\\":\{\\"name\\":\\"x\\",\\"number\\":9007199254740993\}\}"\n {2}made smaller \d+ times; again: npm run fuzz -- --target planted --seed 7$/,
    )
  })

  test('tries the same inputs with the same seed, and others with another one', async () => {
    const tried = async (seed: number) => {
      const seen: string[] = []
      await fuzz(planted(seen), seed, 50)
      return seen
    }
    const one = await tried(1)
    expect(await tried(1)).toEqual(one)
    expect(await tried(2)).not.toEqual(one)
    expect(new Set(one).size).toBeGreaterThan(30)
  })

  test('tells what is left behind by inputs each of which was good', async () => {
    const open = async () => ({
      inputs: fc.nat(),
      check: () => {},
      checkLeft: async () => mustHold(false, () => 'something is left'),
    })
    const { fault } = await fuzz(fuzzTarget({ name: 'left', about: '', runs: 3, open }), 5)
    expect(fault).toBe('something is left\n  after all inputs; again: npm run fuzz -- --target left --seed 5')
  })
})
