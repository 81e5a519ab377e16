/**
 * `npm run bench -- NAME [--store STORE] [--json FILE]`: measures, prints a table with machine, versions and ratios, writes the same as
 * JSON. Without a name, all of them. Ratios are taken in one run against a floor, because machines are noisy.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fold } from './fold.ts'
import { http } from './http.ts'
import { lag } from './lag.ts'
import { liveness } from './liveness.ts'
import { monitor } from './monitor.ts'
import { queries } from './queries.ts'
import { rebuild } from './rebuild.ts'
import { type BenchReport, printReport } from './report.ts'
import { sse } from './sse.ts'
import { start } from './start.ts'
import { w1 } from './w1.ts'
import { waits } from './waits.ts'

const BENCHES: Readonly<Record<string, (store: string | undefined) => Promise<BenchReport>>> = {
  w1,
  fold,
  rebuild,
  lag,
  start,
  liveness,
  queries,
  monitor,
  http,
  waits,
  sse,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, store: { type: 'string' } },
})
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) {
  console.error(`bench: there is no bench "${unknown}"; there are: ${Object.keys(BENCHES).join(', ')}`)
  process.exit(2)
}
const reports: BenchReport[] = []
for (const name of names) {
  const bench = BENCHES[name] as (typeof BENCHES)[string]
  const report = await bench(values.store)
  printReport(report)
  reports.push(report)
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`)
}
