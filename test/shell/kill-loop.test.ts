import { expect, test } from 'vitest'
import { crashCycles } from '../support/crash-cycles.ts'
import { freshSeed } from '../support/fresh-seed.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { testDirectory } from './support/nodes.ts'

const CYCLES = Number(process.env.VERDICT_CRASH_CYCLES ?? 5)

test('kill -9 under load loses no acknowledged command and lets no operation end twice', async () => {
  const report = await crashCycles(testDirectory(), CYCLES, seededRandom(freshSeed('VERDICT_KILL_SEED')))
  expect(report.cycles).toBe(CYCLES)
  expect(report.acknowledged).toBeGreaterThan(0)
  expect(report.commands).toBeGreaterThanOrEqual(report.acknowledged)
}, 600_000)
