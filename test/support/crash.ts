/** npm run crash -- [--cycles N] [--seed N]: kills a process under load N times (200), and checks its log after each. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crashCycles } from './crash-cycles.ts'
import { seededRandom } from './seeded-random.ts'

const { values } = parseArgs({ options: { cycles: { type: 'string' }, seed: { type: 'string' } } })
const cycles = Number(values.cycles ?? 200)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const directory = mkdtempSync(join(tmpdir(), 'verdict-crash-'))
process.stdout.write(`${cycles} cycles of kill -9, seed ${seed}\n`)
try {
  const { acknowledged, commands, terminal } = await crashCycles(directory, cycles, seededRandom(seed), (report) => {
    if (report.cycles % 20 === 0) process.stdout.write(`${report.cycles}: ${report.acknowledged} acknowledged\n`)
  })
  process.stdout.write(
    `${cycles} kills: ${acknowledged} acknowledged commands, all in the log (${commands} stored); ` +
      `${terminal} operations ended, none of them twice; every chain intact\n`,
  )
} finally {
  rmSync(directory, { recursive: true, force: true })
}
