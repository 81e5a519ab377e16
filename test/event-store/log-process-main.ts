/**
 * A process that holds a log and does what it is told: a JSON line in for each order, a JSON line out for each answer.
 * Run by test/support/log-process.ts; `node log-process-main.ts PATH [LOCK_WAIT_MS]`.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  LogError,
  type NewEvent,
} from '../../src/event-store/event-store.ts'
import { verifyChain } from '../../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { chainedEvents } from '../support/chained-events.ts'
import type { Acknowledged, Order } from '../support/log-process.ts'

const [, , path = '', lockWaitMs = '2000'] = process.argv
const sent = new Map<string, { expected: ExpectedRevision; events: NewEvent[] }>()

try {
  const store = await openSqliteStore({ path, lockWaitMs: Number(lockWaitMs) })
  say({ type: 'opened' })
  for await (const line of createInterface({ input: process.stdin })) {
    say((await carryOut(store, JSON.parse(line) as Order)) ?? null) // log-process.ts writes nothing else
  }
  await store.close()
} catch (error) {
  say(error instanceof LogError ? { type: 'error', code: error.code, message: error.message } : String(error))
  process.exitCode = 1
}

async function carryOut(store: EventStore, order: Order): Promise<unknown> {
  switch (order.do) {
    case 'append':
      return await append(store, order.stream, order.results ?? [0])
    case 'again': {
      const last = sent.get(order.stream)
      return last && (await store.append(order.stream, last.expected, last.events))
    }
    case 'read': {
      const events = []
      for await (const event of store.readStream(order.stream)) events.push(event)
      return { ids: events.map(({ id }) => id), chain: (await verifyChain(events)).type }
    }
    case 'health':
      return store.health()
    case 'contend':
      return await contend(store, order.streams, order.wins)
    case 'pour':
      for (;;) {
        for (const stream of order.streams) {
          const result = await append(store, stream, [0])
          if (result.type === 'acknowledged') say(acknowledged(stream, result))
        }
      }
    case 'close':
      return await store.close()
    default:
      throw new Error(`There is no order like ${order satisfies never}`)
  }
}

async function append(store: EventStore, stream: string, results: readonly unknown[]): Promise<AppendResult> {
  const head = await store.head(stream)
  const expected = head?.revision ?? 'no_stream'
  const events = chainedEvents(stream, head, results)
  sent.set(stream, { expected, events })
  return await store.append(stream, expected, events)
}

/** Wins as many appends on each stream as asked, against whoever else wants to; after two losses in its turn. */
async function contend(store: EventStore, streams: readonly string[], wins: number): Promise<Acknowledged[]> {
  const won = await Promise.all(
    streams.map(async (stream) => {
      const own: Acknowledged[] = []
      for (let losses = 0; own.length < wins; ) {
        const attempt = () => append(store, stream, [0])
        const result =
          losses < 2 ? await attempt() : await store.turn?.((appender) => appendIn(appender, store, stream))
        if (result?.type === 'acknowledged') {
          own.push(acknowledged(stream, result))
          losses = 0
        } else {
          losses++
        }
      }
      return own
    }),
  )
  return won.flat()
}

async function appendIn(
  appender: Pick<EventStore, 'append'>,
  store: EventStore,
  stream: string,
): Promise<AppendResult> {
  const head = await store.head(stream)
  const events = chainedEvents(stream, head, [0])
  sent.set(stream, { expected: head?.revision ?? 'no_stream', events })
  return await appender.append(stream, head?.revision ?? 'no_stream', events)
}

function acknowledged(stream: string, { revision }: AppendResult & { type: 'acknowledged' }): Acknowledged {
  return { stream, revision, id: sent.get(stream)?.events.at(-1)?.id ?? '' }
}

/** At once and whole: what was said before a SIGKILL was said. */
function say(answer: unknown): void {
  writeSync(1, `${JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`)
}
