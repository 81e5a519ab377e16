/** The command line of `verdict run`. */
import { parseArgs } from 'node:util'
import { shownLocation } from '../app/shown-location.ts'
import { PLACE_HELP, PLACE_OPTIONS, type Place, placeOf } from './place-option.ts'
import { timeOf } from './time-option.ts'
import { parsing, UsageError } from './usage-error.ts'

export const RUN_HELP = `  verdict run -- make all
  verdict run --name nightly --label team=data -- ./backup.sh /srv
  verdict run --owner acme --stale-after 10m --max-runtime 2h -- node import.js orders.csv
  verdict run --server http://localhost:8080 -- make all
  verdict run --store "esdb://localhost:2113?tls=false" -- make all

Usage: verdict run [options] -- <command> [arguments]

Runs a command line as an operation. It is registered before the command starts: when that can't be stored, nothing is
started. What the command prints is passed on untouched, its last line and what it prints of percentages ("42%") or counts
("3/10") become its progress. Exit code 0 completes the operation, any other one fails it ("exit_3"), a signal too
("signal_SIGKILL"). Ctrl-C asks for a cancel: the command and all it started get SIGTERM, and SIGKILL after the grace, or
with the next Ctrl-C.

When verdict itself is killed (kill -9), the operation gives no sign of life any more: after --stale-after it counts as
stale, and "verdict reconcile", or any process that embeds Verdict, ends it. The command may go on until it next writes.

Options:
${PLACE_HELP}  --workspace NAME       (default: default)
  --owner NAME           whose operation it is (default: default)
  --kind KIND            (default: command)
  --name TEXT            what people call it (default: the command line)
  --id ID                (default: a new one)
  --label KEY=VALUE      may be given many times
  --stale-after TIME     silence after which it is given up: 90s, 2m, "1h 30m" (default: 2m)
  --max-runtime TIME     (default: without end)
  --cancel-grace TIME    from SIGTERM to SIGKILL (default: 30s)
  --max-concurrent N     refuse to start when N operations of the owner are active
  -v, --verbose          tell on stderr which operation it is and how it ended
  -h, --help

Exit codes: the command's own; 128 and the signal's number when a signal ended it; 127 when there is no such command, 126
when it can't be run; 125 when verdict could not register it; 2 for a command line that can't be understood.
`

export interface RunOptions {
  readonly place: Place
  readonly workspace: string
  readonly owner: string
  readonly kind: string
  readonly name: string
  readonly id: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly staleAfterMs: number
  readonly maxRuntimeMs: number | undefined
  readonly cancelGraceMs: number
  readonly maxConcurrent: number | undefined
  readonly verbose: boolean
  readonly command: string
  readonly commandArgs: readonly string[]
}

/** Undefined where help is wanted. Throws UsageError. */
export function runOptionsOf(args: readonly string[]): RunOptions | undefined {
  const end = args.indexOf('--')
  const own = end === -1 ? args : args.slice(0, end)
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...own],
      allowPositionals: true,
      options: {
        ...PLACE_OPTIONS,
        workspace: { type: 'string', default: 'default' },
        owner: { type: 'string', default: 'default' },
        kind: { type: 'string', default: 'command' },
        name: { type: 'string' },
        id: { type: 'string' },
        label: { type: 'string', multiple: true, default: [] },
        'stale-after': { type: 'string', default: '2m' },
        'max-runtime': { type: 'string' },
        'cancel-grace': { type: 'string', default: '30s' },
        'max-concurrent': { type: 'string' },
        verbose: { type: 'boolean', short: 'v', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  )
  if (values.help) return undefined
  const [stray] = positionals
  if (stray !== undefined)
    throw new UsageError(`the command stands behind "--", got "${shownLocation(stray)}" before it`)
  const [command = '', ...commandArgs] = end === -1 ? [] : args.slice(end + 1)
  if (command === '') throw new UsageError('there is no command: verdict run [options] -- <command>')
  return {
    place: placeOf(values),
    workspace: values.workspace,
    owner: values.owner,
    kind: values.kind,
    name: values.name ?? [command, ...commandArgs].join(' ').slice(0, NAME_CHARACTERS_MAX),
    id: values.id,
    labels: Object.fromEntries(values.label.map(labelOf)),
    staleAfterMs: timeOf('--stale-after', values['stale-after']),
    maxRuntimeMs: values['max-runtime'] === undefined ? undefined : timeOf('--max-runtime', values['max-runtime']),
    cancelGraceMs: timeOf('--cancel-grace', values['cancel-grace']),
    maxConcurrent: countOf('--max-concurrent', values['max-concurrent']),
    verbose: values.verbose,
    command,
    commandArgs,
  }
}

const NAME_CHARACTERS_MAX = 200

function labelOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError(`--label wants KEY=VALUE, got "${text}"`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

function countOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} wants a whole number, got "${text}"`)
  return Number(text)
}
