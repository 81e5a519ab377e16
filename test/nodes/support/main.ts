/** npm run nodes -- [--minutes N] [--store sqlite|eventstoredb] [--seed N]: three nodes on one log, killed at random; checks every answer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type NodesReport, nodesUnderFire } from './nodes-under-fire.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, store: { type: 'string' }, seed: { type: 'string' } },
})
const { store = 'sqlite' } = values
const minutes = Number(values.minutes ?? 1)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
if (store !== 'sqlite' && store !== 'eventstoredb') throw new Error(`--store is sqlite or eventstoredb, got ${store}`)
const directory = mkdtempSync(join(tmpdir(), 'verdict-nodes-'))
process.stdout.write(`${minutes} minutes of three nodes on ${store}, seed ${seed}\n`)
try {
  const told = (report: NodesReport) => process.stdout.write(`${line(report)}\n`)
  const report = await nodesUnderFire({ store, directory, seed, lastsMs: minutes * 60_000, told })
  process.stdout.write(`${JSON.stringify({ ...report, faults: report.faults.length }, undefined, 2)}\n`)
  for (const fault of report.faults) process.stdout.write(`FAULT (seed ${seed}): ${fault}\n`)
  if (report.faults.length > 0) process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function line({ rounds, commands, kills, unanswered, operations, faults }: NodesReport): string {
  return `${rounds}: ${commands} commands, ${kills} kills, ${unanswered} unanswered, ${operations} operations checked, ${faults.length} faults`
}
