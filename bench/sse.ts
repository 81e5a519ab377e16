/** Fan-out of live events: how soon an event is with a thousand clients that follow the stream, and how many it can give them. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { benchServer } from './bench-server.ts'
import { benchDoor } from './http.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const CLIENTS = [1, 100, 1_000]
const SINGLE_EVENTS = 200
const BURST_EVENTS = 1_000
const REGISTRY = { workspace: 'bench', owner: 'bench' }

export async function sse(): Promise<BenchReport> {
  const rows: BenchRow[] = []
  for (const clients of CLIENTS) rows.push(...(await fanOutTo(clients)))
  return { name: 'sse', machine: machineFacts(), rows }
}

async function fanOutTo(count: number): Promise<readonly BenchRow[]> {
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  try {
    await door.send(REGISTRY, { type: 'OpenRegistry', limits: {} })
    const before = server.residentMiB()
    const clients = await Promise.all(Array.from({ length: count }, () => Follower.open(server.url)))
    const latencies: number[] = []
    for (let i = 0; i < SINGLE_EVENTS; i++) {
      const sent = performance.now()
      await register(door, `single-${i}`)
      await Promise.all(clients.map((client) => client.received(i + 1)))
      latencies.push(performance.now() - sent)
    }
    latencies.sort((a, b) => a - b)
    const began = performance.now()
    await Promise.all(Array.from({ length: BURST_EVENTS }, (_, i) => register(door, `burst-${i}`)))
    await Promise.all(clients.map((client) => client.received(SINGLE_EVENTS + BURST_EVENTS)))
    const seconds = (performance.now() - began) / 1_000
    const memory = ((server.residentMiB() - before) * 1_024) / count
    for (const client of clients) client.leave()
    return [
      {
        case: `${count} clients: from the command to the last of them`,
        value: quantile(latencies, 0.5),
        unit: 'ms',
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
      },
      {
        case: `${count} clients: a burst of ${BURST_EVENTS} events`,
        value: (BURST_EVENTS * count) / seconds,
        unit: 'events/s',
      },
      { case: `${count} clients: memory of one in the server`, value: memory, unit: 'KiB' },
    ]
  } finally {
    await door.close()
    await server.stop()
  }
}

async function register(door: ReturnType<typeof benchDoor>, id: string): Promise<void> {
  const result = await door.send(REGISTRY, { type: 'RegisterOperation', id, kind: 'bench' })
  if (result.type === 'refused') throw new Error(result.rejection.message)
}

/** Counts what it is sent; as little of a client as can be, because a thousand of them share this process. */
class Follower {
  readonly #socket: Socket
  #count = 0
  #rest = ''
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => this.#take(text))
  }

  static async open(url: string): Promise<Follower> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    const head = `GET /v1/events?after=now HTTP/1.1\r\nhost: ${hostname}\r\naccept: text/event-stream\r\n\r\n`
    socket.write(head)
    await once(socket, 'data')
    return new Follower(socket)
  }

  received(count: number): Promise<void> {
    if (this.#count >= count) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = { count, resolve }
    })
  }

  leave(): void {
    this.#socket.destroy()
  }

  #take(text: string): void {
    const whole = this.#rest + text
    let at = whole.indexOf(ID_FIELD)
    let last = 0
    for (; at >= 0; at = whole.indexOf(ID_FIELD, last)) {
      this.#count++
      last = at + ID_FIELD.length
    }
    this.#rest = whole.slice(Math.max(last, whole.length - ID_FIELD.length))
    if (this.#waiting !== undefined && this.#count >= this.#waiting.count) {
      this.#waiting.resolve()
      this.#waiting = undefined
    }
  }
}

const ID_FIELD = '\nid: '
