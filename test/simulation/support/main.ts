/** `npm run simulate -- [--seed N | --from N --seeds N] [--planted FAULT] [--minutes N]`: one line a fault, counts at the end. */
import { parseArgs } from 'node:util'
import { PLANTED_FAULTS, type PlantedFault } from './planted-fault.ts'
import { simulate } from './simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '100' },
    planted: { type: 'string' },
    minutes: { type: 'string' },
  },
})
const { planted, minutes } = values
if (planted !== undefined && !Object.hasOwn(PLANTED_FAULTS, planted)) {
  throw new Error(`there is no fault '${planted}' to be planted: ${Object.keys(PLANTED_FAULTS).join(', ')}`)
}
const from = Number(values.seed ?? values.from)
const seeds = values.seed === undefined ? Number(values.seeds) : 1
const lasting = minutes === undefined ? {} : { lastsMs: Number(minutes) * 60_000 }
const totals = { seeds: 0, steps: 0, events: 0, commands: 0, crashes: 0, operations: 0, reconciled: 0, simulatedMs: 0 }
const begun = performance.now()
let failing = 0
for (let seed = from; seed < from + seeds; seed++) {
  const report = await simulate({ seed, planted: planted as PlantedFault | undefined, ...lasting })
  totals.seeds++
  for (const name of ['steps', 'events', 'commands', 'crashes', 'operations', 'reconciled', 'simulatedMs'] as const) {
    totals[name] += report[name]
  }
  if (report.faults.length === 0 && values.seed === undefined) continue
  if (values.seed !== undefined) for (const warning of report.warnings) console.log(`  ${warning}`)
  for (const fault of report.faults.slice(0, 10)) console.log(`seed ${seed}: ${fault}`)
  if (report.faults.length === 0) continue
  failing++
  console.log(`  again: npm run simulate -- --seed ${seed}${planted === undefined ? '' : ` --planted ${planted}`}`)
}
const minutesTaken = (performance.now() - begun) / 60_000
console.log(
  JSON.stringify({ ...totals, failing, stepsPerMinute: Math.round(totals.steps / minutesTaken) }, undefined, 2),
)
process.exitCode = failing > 0 ? 1 : 0
