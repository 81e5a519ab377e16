/**
 * The load of W1: register, start, complete: three durable acknowledged commands per operation, unique operations spread
 * over registries, 300-byte payloads, through the door that a library user has.
 */
import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openNode } from '../src/app.ts'
import type { VerdictDoor } from '../src/client/door.ts'
import type { EventStore } from '../src/event-store/event-store.ts'
import { exportedLine } from '../src/event-store/exported-line.ts'

export const REGISTRIES = 64
const COMMANDS_PER_OPERATION = 3
export const PAYLOAD = { text: 'x'.repeat(280) }

export interface Measured {
  /** Commands per second. */
  readonly rate: number
  /** Milliseconds per command, sorted. */
  readonly latencies: readonly number[]
  readonly stallMs: number
  readonly appends: AppendShape
}

/** What one append held, on average. */
export interface AppendShape {
  readonly events: number
  readonly bytesPerEvent: number
}

/** In a workspace of its own, so that a log may be measured many times. */
export async function measureLoad(
  location: string,
  inFlight: number,
  registries: number,
  commands: number,
): Promise<Measured> {
  const { door, store } = await openNode(location)
  const counter = countAppends(store)
  const measured = await measureDoor(door, inFlight, registries, commands)
  await door.close()
  return { ...measured, appends: counter() }
}

/** The same load on whatever answers commands. */
export async function measureDoor(
  door: Pick<VerdictDoor, 'send'>,
  inFlight: number,
  registries: number,
  commands: number,
): Promise<Omit<Measured, 'appends'>> {
  const workspace = `bench-${randomUUID()}`
  const operations = Math.ceil(commands / COMMANDS_PER_OPERATION)
  const latencies: number[] = []
  let next = 0
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < operations) {
        const i = next++
        await runOperation(door, { workspace, owner: `owner-${i % registries}` }, `operation-${i}`, latencies)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1_000
  delay.disable()
  return {
    rate: (operations * COMMANDS_PER_OPERATION) / seconds,
    latencies: latencies.sort((a, b) => a - b),
    stallMs: delay.max / 1e6,
  }
}

/** An instrument of the bench: the shell calls the same store. */
function countAppends(store: EventStore): () => AppendShape {
  const append = store.append.bind(store)
  let appends = 0
  let events = 0
  let bytes = 0
  let measured = 0
  store.append = (stream, expected, appended) => {
    appends++
    events += appended.length
    // Looking at every event would be seen in the figures.
    if (appends % 64 === 0) {
      measured += appended.length
      for (const event of appended) bytes += exportedLine(event).length
    }
    return append(stream, expected, appended)
  }
  return () => ({ events: events / appends, bytesPerEvent: bytes / measured })
}

async function runOperation(
  door: Pick<VerdictDoor, 'send'>,
  registry: { readonly workspace: string; readonly owner: string },
  id: string,
  latencies: number[],
): Promise<void> {
  const send = async (command: Readonly<Record<string, unknown>>) => {
    const began = performance.now()
    const result = await door.send(registry, command)
    latencies.push(performance.now() - began)
    if (result.type === 'refused') throw new Error(result.rejection.message)
    return result.answer
  }
  await send({ type: 'RegisterOperation', id, kind: 'bench', input: PAYLOAD })
  const { leaseEpoch } = await send({ type: 'ProvisioningSucceeded', id })
  await send({ type: 'CompleteOperation', id, leaseEpoch, result: PAYLOAD })
}
