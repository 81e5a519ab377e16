/** `verdict config check`: what a configuration comes to, before anything is started with it. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { effectivePolicies } from '../app/open-options.ts'
import { shownLocation } from '../app/shown-location.ts'
import { writtenDuration } from '../client/durations.ts'
import { configurationIn } from './serve-options.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict config check verdict.json    the effective policy of each kind, or everything that contradicts itself

Usage: verdict config check FILE

FILE is JSON with the options of openVerdict and, for "verdict serve", a section "server": { "kinds": { "export": { "policy": { "staleAfter": "5m" } } }, "settings": {} }

Exit codes: 0 when it can be started with; 1 when something contradicts itself; 2 for a command line that can't be understood.
`

const EXIT_CONTRADICTION = 1

export async function config(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [check, file, stray] = positionals
  if (check !== 'check' || file === undefined || stray !== undefined) throw new UsageError('config wants: check FILE')
  try {
    const { server, ...options } = configurationIn(readFileSync(file, 'utf8'))
    if (server !== undefined) process.stdout.write(`server\n${rowsOf(shownServer(server)).join('')}`)
    for (const [kind, policy] of Object.entries(effectivePolicies(options))) {
      process.stdout.write(`${kind}\n${rowsOf(policy).join('')}`)
    }
    return 0
  } catch (error) {
    process.stderr.write(`verdict: ${file}: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_CONTRADICTION
  }
}

/** Without the password that an address may hold. */
function shownServer(server: Readonly<Record<string, unknown>>): object {
  const { store } = server
  return typeof store === 'string' ? { ...server, store: shownLocation(store) } : server
}

/** One line for each number, durations as people write them. */
function rowsOf(policy: object, prefix = ''): readonly string[] {
  return Object.entries(policy).flatMap(([name, value]) => {
    if (typeof value === 'object' && value !== null) return rowsOf(value, `${prefix}${name}.`)
    const isDuration = name.endsWith('Ms')
    const shown = value === null ? 'off' : isDuration ? writtenDuration(value as number) : String(value)
    return [`  ${`${prefix}${isDuration ? name.slice(0, -2) : name}`.padEnd(24)}${shown}\n`]
  })
}
