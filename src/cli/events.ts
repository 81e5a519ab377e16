/** `verdict events tail`: what happens, as it stands in the log, a line for each event. */
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { EventsReplaced, OperationRejected } from '../client/operation-errors.ts'
import type { Verdict } from '../client/verdict.ts'
import { EXIT_OURS } from './exit-codes.ts'
import { openPlace, placeOf, REACHED_HELP, REACHED_OPTIONS } from './place-option.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict events tail                                   what happens from now on
  verdict events tail --from-start --no-follow --json   all of it, as CloudEvents
  verdict events tail --operation ID --owner acme
  verdict events tail --type verdict.operation.failed --server https://verdict.example.com
  verdict events tail --after CURSOR --json | while read -r event; do ...; done

Usage: verdict events tail [options]

Each durable event once and in order, over restarts of the server as well. With --json each line is a CloudEvent, and its
"cursor" is what to give to --after to go on behind it.

Options:
${REACHED_HELP}  --workspace NAME       (default: default)
  --owner NAME           of one owner only
  --kind KIND            about operations of this kind only
  --operation ID         about this operation only
  --type TYPE            may be given many times
  --after CURSOR         go on behind this event
  --from-start           history first
  --no-follow            end with the newest one
  --json                 for programs
  -h, --help

Exit codes: 0; 1 when the place to go on from is gone, or something was refused; 2 for a command line that can't be understood;
125 when the server or the log can't be reached.
`

const EXIT_REFUSED = 1

export async function events(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: {
        ...REACHED_OPTIONS,
        workspace: { type: 'string', default: 'default' },
        owner: { type: 'string' },
        kind: { type: 'string' },
        operation: { type: 'string' },
        type: { type: 'string', multiple: true },
        after: { type: 'string' },
        'from-start': { type: 'boolean', default: false },
        'no-follow': { type: 'boolean', default: false },
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
  const [name, stray] = positionals
  if (name !== 'tail') throw new UsageError(`events wants the command tail, got "${name ?? ''}"`)
  if (stray !== undefined) throw new UsageError(`events tail takes no argument, got "${stray}"`)
  if (values.after !== undefined && values['from-start'])
    throw new UsageError('--after and --from-start exclude each other')
  const place = placeOf(values)
  const after = values['from-start'] ? undefined : (values.after ?? 'now')
  const { workspace, owner, kind, operation, type: types } = values
  const wanted = Object.entries({ workspace, owner, kind, operation, types, after })
  const options = {
    ...Object.fromEntries(wanted.filter(([, value]) => value !== undefined)),
    follow: !values['no-follow'],
  }
  try {
    const verdict = await openPlace(place, { log: { warn: (_facts, message) => say(message) } })
    try {
      await print(verdict, options, values.json)
      return 0
    } finally {
      await verdict.close()
    }
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    const isRefused = error instanceof EventsReplaced || error instanceof OperationRejected
    return isRefused && error.code !== 'server_unavailable' ? EXIT_REFUSED : EXIT_OURS
  }
}

/** Ends with Ctrl-C, and when nobody reads any more. */
async function print(verdict: Verdict, options: Parameters<Verdict['events']>[0], isJson: boolean): Promise<void> {
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  process.stdout.once('error', end)
  try {
    for await (const event of verdict.events({ ...options, signal: stop.signal })) {
      const { time, type, subject = '-', owner, id } = event
      const line = isJson
        ? JSON.stringify(event)
        : `${id.padStart(8)}  ${time}  ${owner}  ${type.replace(/^verdict\./, '')}  ${subject}`
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain', { signal: stop.signal })
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
}

function say(message: string): void {
  process.stderr.write(`verdict: ${message}\n`)
}
