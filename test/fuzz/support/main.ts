/** `npm run fuzz -- [--target NAME ...] [--seed N] [--minutes N]`: one line a seed that failed, counts at the end. */
import { parseArgs } from 'node:util'
import { freshSeed, fuzz } from './fuzz.ts'
import { TARGETS } from './targets.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(
    'npm run fuzz -- [--target NAME ...] [--seed N] [--minutes N]\n\nTargets, all of them where none is named:',
  )
  for (const { name, about } of TARGETS) console.log(`  ${name.padEnd(10)}${about}`)
  process.exit(0)
}
const wanted = values.target ?? TARGETS.map(({ name }) => name)
const targets = wanted.map((name) => {
  const target = TARGETS.find((one) => one.name === name)
  if (target === undefined)
    throw new Error(`there is no target '${name}': ${TARGETS.map((one) => one.name).join(', ')}`)
  return target
})
const first = values.seed === undefined ? freshSeed() : wholeNumber('seed', values.seed)
const endsAt = performance.now() + 60_000 * Number(values.minutes ?? 0)
const counts = new Map(targets.map(({ name }) => [name, { seeds: 0, runs: 0 }]))
let failing = 0
console.log(`from seed ${first}`)
// Each target once, and all of them again with the next seed while there is time.
for (let seed = first; seed === first || performance.now() < endsAt; seed++) {
  for (const target of targets) {
    const { runs, fault } = await fuzz(target, seed)
    const count = counts.get(target.name)
    if (count === undefined) throw new Error(`nobody counts ${target.name}`)
    count.seeds++
    count.runs += runs
    if (fault === undefined) continue
    failing++
    console.log(`${target.name}, seed ${seed}: ${fault}`)
  }
}
console.log(
  JSON.stringify(
    { ...Object.fromEntries(counts), failing, heapMiB: Math.round(process.memoryUsage().heapUsed / 2 ** 20) },
    undefined,
    2,
  ),
)
process.exitCode = failing > 0 ? 1 : 0

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new Error(`--${name}: expected a whole number, got ${text}`)
}
