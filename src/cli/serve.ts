/** `verdict serve`: the API over HTTP, until it is told to end. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { shownLocation } from '../app/shown-location.ts'
import { type ServedVerdict, serveVerdict } from '../serve.ts'
import { EXIT_OURS, EXIT_SIGNAL } from './exit-codes.ts'
import { SERVE_OPTIONS, type ServePlan, servePlan } from './serve-options.ts'
import { STORE_HELP, STORE_OPTIONS } from './store-option.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict serve                                     on this machine, open for development
  verdict serve --data /var/lib/verdict --port 9000
  verdict serve --store esdb://db1:2113 --keys keys.json --host 0.0.0.0

Usage: verdict serve [options]

Serves the API: commands, reads, waits and feeds over HTTP, described at /openapi.json and /docs. SIGTERM ends it in order: it
is not ready any more, who waits is answered, what is in flight finishes, what was heard is written. A second one ends it at once.

Options:
${STORE_HELP}
  --host HOST            default 127.0.0.1; any other address wants keys or a jwt issuer (VERDICT_HOST)
  --port PORT            default 8080; 0 takes a free one (VERDICT_PORT)
  --keys FILE            the keys of callers; default: keys.json in the folder of the log, when it is there (VERDICT_KEYS)
  --config FILE          JSON with server { host, port, data, store, keys, jwt }, settings, kinds, limits, webhooks (VERDICT_CONFIG)
  --json                 where it listens, for programs
  -h, --help

What is said by a flag counts before the environment, that before the file, that before the default.
Exit codes: 0 when it was told to end; 2 for a command line that can't be understood; 125 when it can't serve.
`

export async function serve(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: {
        ...STORE_OPTIONS,
        ...SERVE_OPTIONS,
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
  if (stray !== undefined) throw new UsageError(`serve takes no argument, got "${shownLocation(stray)}"`)
  const plan = servePlan(values)
  const ended = new EndSignals()
  try {
    const server = await started(plan)
    process[values.json ? 'stdout' : 'stderr'].write(
      values.json ? `${JSON.stringify(told(plan, server))}\n` : shown(plan, server),
    )
    await ended.first
    if (!values.json) process.stderr.write('verdict: ending; once more ends it at once\n')
    const signal = await Promise.race([server.close().then(() => undefined), ended.second])
    if (signal === undefined) return 0
    server.force()
    return EXIT_SIGNAL + signal
  } catch (error) {
    process.stderr.write(`verdict: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_OURS
  } finally {
    ended.stop()
  }
}

async function started({ place, options }: ServePlan): Promise<ServedVerdict> {
  if (place.folder !== undefined) mkdirSync(place.folder, { recursive: true })
  return serveVerdict(place.location, options)
}

function told({ place }: ServePlan, { url }: ServedVerdict) {
  const { location, folder } = place
  const data = folder === undefined ? shownLocation(location) : path.resolve(location)
  return { url, data, page: url, api: `${url}/v1`, docs: `${url}/docs` }
}

function shown(plan: ServePlan, server: ServedVerdict): string {
  const { data, page, api, docs } = told(plan, server)
  const { authentication = {} } = plan.options
  const isOpen = authentication.keys === undefined && authentication.jwt === undefined
  const who = isOpen ? 'everybody on this machine' : 'callers with a key or token'
  return `verdict serves ${who}\n  data  ${data}\n  page  ${page}\n  API   ${api}\n  docs  ${docs}\n`
}

/** SIGINT and SIGTERM, the first and the second of them. */
class EndSignals {
  readonly first: Promise<number>
  readonly second: Promise<number>
  readonly #listener: (signal: NodeJS.Signals, number: number) => void

  constructor() {
    const first = Promise.withResolvers<number>()
    const second = Promise.withResolvers<number>()
    this.first = first.promise
    this.second = second.promise
    let count = 0
    this.#listener = (_signal, number) => {
      count += 1
      if (count === 1) first.resolve(number)
      else second.resolve(number)
    }
    process.on('SIGINT', this.#listener)
    process.on('SIGTERM', this.#listener)
  }

  stop(): void {
    process.off('SIGINT', this.#listener)
    process.off('SIGTERM', this.#listener)
  }
}
