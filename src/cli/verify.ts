/** `verdict verify`: the whole log again, with distrust. */
import { parseArgs } from 'node:util'
import { shownLocation } from '../app/shown-location.ts'
import { openNode } from '../app.ts'
import { type VerifyReport, verifyLog } from '../audit/verify.ts'
import { EXIT_FAULTS, EXIT_OURS } from './exit-codes.ts'
import { STORE_HELP, STORE_OPTIONS, storePlace } from './store-option.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict verify --data .verdict          read .verdict/verdict.db again, from the first event to the last
  verdict verify --data .verdict --json   the whole report, for programs
  verdict verify --store sqlite:copy.db   a file of any name
  verdict verify --store "esdb://localhost:2113?tls=false"

Usage: verdict verify [--store STORE | --data DIR] [--json]

Checks revisions, every hash, every event as a legal step, and folds all of it. Prints the head of each stream: keep them
elsewhere, because a chain alone can't see a tail that was cut off.

Options:
${STORE_HELP}  --json                 the report as JSON
  -h, --help

Exit codes: 0 when nothing is wrong; 1 when something is; 125 when the log can't be read.
`

export async function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: {
        ...STORE_OPTIONS,
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [stray] = positionals
  if (stray !== undefined) throw new UsageError(`verify takes no argument, got "${shownLocation(stray)}"`)
  const { location } = storePlace(values)
  try {
    // Opening begins a log where there is none; one that isn't there must not be found in order.
    const { store, door } = await openNode(location, { mustExist: true })
    try {
      const report = await verifyLog(store)
      process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : told(report))
      return report.faults.length === 0 ? 0 : EXIT_FAULTS
    } finally {
      await door.close()
    }
  } catch (error) {
    process.stderr.write(`verdict: ${error instanceof Error ? error.message : String(error)}\n`)
    // The store's own checksums come before the chain: what they find is a fault of the log, and ends the reading.
    return error instanceof Error && 'code' in error && error.code === 'log_damaged' ? EXIT_FAULTS : EXIT_OURS
  }
}

function told({ events, heads, faults, blindSpot }: VerifyReport): string {
  const lines = [
    ...faults.map(({ stream, revision, code, message }) => `${stream} ${revision} ${code}: ${message}`),
    ...heads.map(({ stream, revision, hash }) => `${stream} ${revision} ${hash}`),
    `${events} events in ${heads.length} streams, ${faults.length} faults`,
    blindSpot,
  ]
  return `${lines.join('\n')}\n`
}
