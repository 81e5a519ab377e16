/**
 * `npm run bench -- NAME [--store STORE] [--seconds N] [--repetitions N] [--json FILE] [--keep]`: measures, prints a table with
 * machine, versions and ratios, writes the same as JSON. Without a name, all of them. Ratios are taken in one run against a floor, because machines are noisy.
 * `--seconds` is for each case of `peers`, which is in turn repeated; `--keep` makes its run the one that bench/README.md tells,
 * `--retell` writes that page and its chart anew from the run that is kept, and measures nothing.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fold } from './fold.ts'
import { http } from './http.ts'
import { lag } from './lag.ts'
import { liveness } from './liveness.ts'
import { monitor } from './monitor.ts'
import { keepPeers, retellPeers } from './peers/kept.ts'
import { type PeersReport, peers } from './peers/peers.ts'
import { queries } from './queries.ts'
import { rebuild } from './rebuild.ts'
import { type BenchReport, printReport } from './report.ts'
import { serveReady } from './serve-ready.ts'
import { sse } from './sse.ts'
import { start } from './start.ts'
import { w1 } from './w1.ts'
import { waits } from './waits.ts'

interface BenchOptions {
  readonly store?: string | undefined
  readonly seconds?: number | undefined
  readonly repetitions?: number | undefined
}

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<BenchReport>>> = {
  w1: ({ store }) => w1(store),
  fold,
  rebuild,
  lag,
  start,
  'serve-ready': serveReady,
  liveness,
  queries,
  monitor,
  http,
  waits,
  sse,
  peers: ({ seconds, repetitions }) => peers({ seconds, repetitions, tell: console.error }),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    store: { type: 'string' },
    seconds: { type: 'string' },
    repetitions: { type: 'string' },
    keep: { type: 'boolean', default: false },
    retell: { type: 'boolean', default: false },
  },
})
if (values.retell) {
  retellPeers()
  process.exit()
}
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) {
  console.error(`bench: there is no bench "${unknown}"; there are: ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
const reports: BenchReport[] = []
for (const name of names) {
  const bench = BENCHES[name] as (typeof BENCHES)[string]
  const report = await bench({ store: values.store, seconds: above0('seconds'), repetitions: above0('repetitions') })
  printReport(report)
  if (name === 'peers') afterPeers(report as PeersReport) // as `peers` gives it
  reports.push(report)
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`)
}

function above0(name: 'seconds' | 'repetitions'): number | undefined {
  const given = values[name]
  if (given === undefined || Number(given) > 0) return given === undefined ? undefined : Number(given)
  console.error(`bench: --${name} wants a number above 0, not "${given}"`)
  process.exit(2)
}

function afterPeers(report: PeersReport): void {
  if (values.keep) keepPeers(report)
  // As for the tests: where everything is to be there, what is missing is a failure.
  if (report.missing.length > 0 && process.env.VERDICT_SKIPS_FAIL === '1') process.exitCode = 1
}
