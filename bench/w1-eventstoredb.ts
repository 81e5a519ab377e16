/**
 * W1 on an EventStoreDB, against its bare client in the same run: appends of as many events and bytes as the product's
 * appends had, one under way in each stream, as many streams at once. Rounds alternate; figures are medians.
 */
import { shownLocation } from '../src/app/shown-location.ts'
import { type BareAppends, bareAppends } from './bare-client.ts'
import { startProtocolServer } from './protocol-server.ts'
import { type BenchReport, type BenchRow, machineFacts, median, quantile } from './report.ts'
import { type Measured, measureLoad, REGISTRIES } from './w1-load.ts'

/** Commands per case and round: enough for a second or two at the speed of that case. */
const COMMANDS: Readonly<Record<number, number>> = { 1: 3_000, 8: 9_000, 32: 18_000, 128: 30_000 }
const ROUNDS = 5
/** What 128 in flight must reach, in multiples of 1 in flight. */
const SCALING = 8

/** Servers of our own by name; everything else is an address. */
export const PROTOCOL_SERVERS: Readonly<Record<string, { readonly isFlushing: boolean }>> = {
  protocol: { isFlushing: false },
  'protocol-flushing': { isFlushing: true },
}

interface Round {
  readonly product: Measured
  readonly bare: BareAppends
}

export async function w1OnEventStoreDb(store: string): Promise<BenchReport> {
  const rounds = new Map<number, Round[]>(Object.keys(COMMANDS).map((inFlight) => [Number(inFlight), []]))
  for (let round = 0; round < ROUNDS; round++) {
    // A server of ours keeps everything in memory: a new one for each round.
    const server = await serverAt(store)
    await measureLoad(server.url, 32, REGISTRIES, 9_000)
    for (const [inFlight, measured] of rounds) {
      const commands = COMMANDS[inFlight] as number
      const product = await measureLoad(server.url, inFlight, REGISTRIES, commands)
      const bare = await bareAppends(server.url, product.appends, Math.min(inFlight, REGISTRIES), commands)
      measured.push({ product, bare })
    }
    await server.stop()
  }
  const rows = [...rounds].flatMap(([inFlight, measured]) => rowsOf(inFlight, measured))
  return { name: 'w1', machine: { ...machineFacts(), store: shownLocation(store) }, rows: [...rows, scaling(rounds)] }
}

function serverAt(store: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const own = PROTOCOL_SERVERS[store]
  return own === undefined ? Promise.resolve({ url: store, stop: async () => {} }) : startProtocolServer(own.isFlushing)
}

function rowsOf(inFlight: number, measured: readonly Round[]): readonly BenchRow[] {
  const of = (figure: (round: Round) => number) => median(measured.map(figure))
  return [
    {
      case: `${inFlight} in flight, floor: bare client`,
      value: of(({ product }) => product.rate),
      unit: 'commands/s',
      floor: of(({ bare }) => bare.rate),
      ratio: of(({ product, bare }) => product.rate / bare.rate),
      p50: of(({ product }) => quantile(product.latencies, 0.5)),
      p99: of(({ product }) => quantile(product.latencies, 0.99)),
    },
    {
      case: `${inFlight} in flight, events in an append`,
      value: of(({ product }) => product.appends.events),
      unit: 'events',
    },
    {
      case: `${inFlight} in flight, the bare client's append`,
      value: of(({ bare }) => bare.rate),
      unit: 'events/s',
      p50: of(({ bare }) => quantile(bare.latencies, 0.5)),
      p99: of(({ bare }) => quantile(bare.latencies, 0.99)),
    },
  ]
}

/** Of each round its own ratio: machines change between rounds. */
function scaling(rounds: ReadonlyMap<number, readonly Round[]>): BenchRow {
  const rates = (inFlight: number) => (rounds.get(inFlight) ?? []).map(({ product }) => product.rate)
  const [one, many] = [rates(1), rates(128)]
  return {
    case: `128 in flight, floor: ${SCALING} times 1 in flight`,
    value: median(many),
    unit: 'commands/s',
    floor: SCALING * median(one),
    ratio: median(many.map((rate, round) => rate / (SCALING * (one[round] as number)))),
  }
}
