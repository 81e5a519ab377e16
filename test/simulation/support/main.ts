/**
 * `npm run simulate -- [--seed N | --from N --seeds N] [--planted FAULT] [--minutes N] [--threads N]`: one line a fault, counts
 * at the end. As many threads as the machine has processors, unless told.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { PLANTED_FAULTS, type PlantedFault } from './planted-fault.ts'
import { simulateSeeds } from './seeds.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '100' },
    planted: { type: 'string' },
    minutes: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const { planted, minutes } = values
if (planted !== undefined && !Object.hasOwn(PLANTED_FAULTS, planted)) {
  throw new Error(`there is no fault '${planted}' to be planted: ${Object.keys(PLANTED_FAULTS).join(', ')}`)
}
const asked = {
  from: Number(values.seed ?? values.from),
  seeds: values.seed === undefined ? Number(values.seeds) : 1,
  planted: planted as PlantedFault | undefined,
  lastsMs: minutes === undefined ? undefined : Number(minutes) * 60_000,
}
const totals = { seeds: 0, steps: 0, events: 0, commands: 0, crashes: 0, operations: 0, reconciled: 0, simulatedMs: 0 }
const begun = performance.now()
let failing = 0
await simulateSeeds(asked, Number(values.threads), ({ seed, faults, warnings, ...report }) => {
  totals.seeds++
  for (const name of ['steps', 'events', 'commands', 'crashes', 'operations', 'reconciled', 'simulatedMs'] as const) {
    totals[name] += report[name]
  }
  if (values.seed !== undefined) for (const warning of warnings) console.log(`  ${warning}`)
  for (const fault of faults.slice(0, 10)) console.log(`seed ${seed}: ${fault}`)
  if (faults.length === 0) return
  failing++
  console.log(`  again: npm run simulate -- --seed ${seed}${planted === undefined ? '' : ` --planted ${planted}`}`)
})
const secondsTaken = (performance.now() - begun) / 1_000
console.log(
  JSON.stringify(
    {
      ...totals,
      failing,
      seconds: Math.round(secondsTaken),
      stepsPerMinute: Math.round((totals.steps * 60) / secondsTaken),
    },
    undefined,
    2,
  ),
)
if (totals.seeds !== asked.seeds) throw new Error(`${totals.seeds} of ${asked.seeds} seeds were told`)
process.exitCode = failing > 0 ? 1 : 0
