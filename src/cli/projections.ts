/** `verdict projections`: how read models stand, and what can be done about them. */
import { parseArgs } from 'node:util'
import type { EmbeddedNode } from '../app/embedded-node.ts'
import { EXIT_FAULTS } from './exit-codes.ts'
import { ProgressBar } from './progress-bar.ts'
import { projectionLines, toldDifference, toldParked } from './projection-lines.ts'
import { STORE_HELP, STORE_OPTIONS, storePlace } from './store-option.ts'
import { positionAsText, type Told, toldAction } from './told-action.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict projections list                           how far each read model is, and what stands in its way
  verdict projections rebuild operation-index        its rows anew from the log; the old ones serve meanwhile
  verdict projections rebuild --all                  all of them, in one pass
  verdict projections check rates                    compare every row with what the log gives
  verdict projections check liveness --sample 100    only rows of 100 streams drawn at random
  verdict projections parked                         streams that a projection could not go on with
  verdict projections retry liveness registry-default/acme
  verdict projections discard liveness registry-default/acme --reason "known defect 7"

Usage: verdict projections <list | rebuild | check | parked | retry | discard> [options]

A rebuild can be left with Ctrl-C at any moment and leaves nothing behind. "discard" leaves out, for good, the one event that a
stream was parked at.

Options:
${STORE_HELP}  --all                  every projection (rebuild)
  --sample N             so many streams instead of all (check)
  --reason TEXT          why an event is left out (discard)
  --json                 the answer as JSON
  -h, --help

Exit codes: 0 when it was done and nothing is wrong; 1 when rows differ, a stream stays parked or a projection stands still;
2 for a command line that can't be understood; 125 when it could not be done.
`

type ReadSide = EmbeddedNode['readSide']
type Values = ReturnType<typeof parsed>['values']

export async function projections(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() => parsed(args))
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [name = 'list', ...rest] = positionals
  const action = actionOf(name, rest, values)
  const { location } = storePlace(values)
  // Looking starts nobody to follow; an order needs somebody who carries it out, where no other process does.
  const isOrder = name === 'retry' || name === 'discard'
  const follow = isOrder ? 'at_start' : 'never'
  const asJson = values.json ? (answer: unknown) => JSON.stringify(answer, positionAsText, 2) : undefined
  // What is parked is what an order is about: whoever gives it knows.
  const quiet = isOrder ? { settings: { logLevel: 'error' as const } } : {}
  return toldAction(location, ({ readSide }, signal) => action(readSide, signal), {
    asJson,
    readModels: { follow },
    ...quiet,
  })
}

function parsed(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      ...STORE_OPTIONS,
      all: { type: 'boolean', default: false },
      sample: { type: 'string' },
      reason: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  })
}

function actionOf(
  name: string,
  rest: readonly string[],
  values: Values,
): (readSide: ReadSide, signal: AbortSignal) => Promise<Told> {
  const [projection = '', stream = '', stray] = rest
  const takes = (count: number, what: string) => {
    if (rest.length !== count || stray !== undefined) {
      throw new UsageError(`projections ${name} takes ${what}, got ${JSON.stringify(rest.join(' '))}`)
    }
  }
  switch (name) {
    case 'list':
      takes(0, 'no argument')
      return list
    case 'parked':
      takes(0, 'no argument')
      return parked
    case 'rebuild':
      if (values.all) takes(0, 'a name or --all, not both')
      else takes(1, 'the name of a projection, or --all')
      return (readSide, signal) => rebuild(readSide, values.all ? undefined : projection, signal)
    case 'check': {
      takes(1, 'the name of a projection')
      const sample = values.sample === undefined ? undefined : Number(values.sample)
      if (sample !== undefined && !(Number.isInteger(sample) && sample > 0)) {
        throw new UsageError(`--sample takes a whole number from 1, got "${values.sample}"`)
      }
      return (readSide, signal) => check(readSide, projection, sample, signal)
    }
    case 'retry':
      takes(2, 'the names of a projection and of a stream')
      return (readSide, signal) => order(readSide.retryParked(projection, stream, signal), projection, stream)
    case 'discard': {
      takes(2, 'the names of a projection and of a stream')
      const { reason } = values
      if (reason === undefined || reason.trim() === '') throw new UsageError('projections discard needs --reason TEXT')
      return (readSide, signal) => order(readSide.discardParked(projection, stream, reason, signal), projection, stream)
    }
    default:
      throw new UsageError(`projections has no "${name}"`)
  }
}

async function list(readSide: ReadSide, signal: AbortSignal): Promise<Told> {
  const all = await readSide.health(signal)
  const isWrong = all.some(({ status, parked }) => status === 'stopped' || status === 'stalled' || parked.length > 0)
  return { answer: all, lines: projectionLines(all), code: isWrong ? EXIT_FAULTS : 0 }
}

async function parked(readSide: ReadSide, signal: AbortSignal): Promise<Told> {
  const all = await readSide.health(signal)
  const answer = all.flatMap(({ projection, parked }) => parked.map((one) => ({ projection, ...one })))
  return { answer, lines: answer.map(toldParked), code: answer.length > 0 ? EXIT_FAULTS : 0 }
}

async function rebuild(readSide: ReadSide, projection: string | undefined, signal: AbortSignal): Promise<Told> {
  const all = projection === undefined ? await readSide.health(signal) : [{ projection }]
  const bar = new ProgressBar(process.stderr)
  try {
    const answer = await readSide.rebuild(
      all.map((one) => one.projection),
      {
        signal,
        onProgress: ({ events, position, end }) => bar.draw(Number(position), Number(end), `${events} events`),
      },
    )
    const line = `${answer.projections.join(', ')}: ${answer.events} events, up to position ${answer.position}`
    return { answer, lines: [line], code: 0 }
  } finally {
    bar.clear()
  }
}

async function check(
  readSide: ReadSide,
  projection: string,
  sample: number | undefined,
  signal: AbortSignal,
): Promise<Told> {
  const bar = new ProgressBar(process.stderr)
  try {
    const answer = await readSide.check(projection, sample, {
      signal,
      onProgress: ({ events, position, end }) => bar.draw(Number(position), Number(end), `${events} events`),
    })
    const { rows, position, streams, differences, tablesLeftOut } = answer
    const extent = streams === undefined ? 'all streams' : `${streams} streams`
    const lines = [
      ...differences.map(toldDifference),
      ...tablesLeftOut.map((table) => `${table}: not of single streams, left out of the sample`),
      `${projection}: ${rows} rows of ${extent} at position ${position}, ${differences.length} differences`,
    ]
    return { answer, lines, code: differences.length > 0 ? EXIT_FAULTS : 0 }
  } finally {
    bar.clear()
  }
}

async function order(
  answering: ReturnType<ReadSide['retryParked']>,
  projection: string,
  stream: string,
): Promise<Told> {
  const answer = await answering
  if (answer.type === 'followed') return { answer, lines: [`${projection}: ${stream} is followed again`], code: 0 }
  return { answer, lines: [toldParked({ projection, ...answer.parked })], code: EXIT_FAULTS }
}
