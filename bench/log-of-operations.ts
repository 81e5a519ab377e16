/** A log of many operations, written as fast as the store takes them: what rebuilds and starts are measured over. */
import { openNode } from '../src/app.ts'
import type { RecordedEvent } from '../src/authority/events.ts'
import { decodeEvent, encodeEvents, randomSalts } from '../src/event-store/event-codec.ts'
import { GENESIS_HASH } from '../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../src/event-store/sqlite.ts'
import { registryStream } from '../src/event-store/stream-names.ts'

const REGISTRIES = 64
const OPERATIONS_PER_APPEND = 32
const IN_FLIGHT = 16

/** `events` in all, three an operation: registered, claimed, completed, with 300-byte inputs. */
export async function writeLogOfOperations(file: string, events: number): Promise<void> {
  const [opened, ...life] = await exampleLife()
  if (opened === undefined) throw new Error('the example has no events')
  const store = await openSqliteStore({ path: file })
  const perRegistry = Math.ceil((events - REGISTRIES) / (REGISTRIES * life.length))
  const salts = randomSalts()
  const streams = Array.from({ length: REGISTRIES }, (_, i) => ({
    stream: registryStream({ workspace: 'default', owner: `owner-${i}` }),
    revision: -1,
    hash: GENESIS_HASH,
    operations: 0,
  }))
  type Stream = (typeof streams)[number]
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async (_, lane) => {
      const mine = streams.filter((_, i) => i % IN_FLIGHT === lane)
      for (;;) {
        const next = mine.find(({ operations }) => operations < perRegistry)
        if (next === undefined) return
        await append(next)
      }
    }),
  )
  await store.close()

  async function append(at: Stream): Promise<void> {
    const batch: RecordedEvent[] = at.revision === -1 ? [opened as RecordedEvent] : []
    for (let i = 0; i < OPERATIONS_PER_APPEND && at.operations < perRegistry; i++, at.operations++) {
      const number = at.revision + 1 + batch.length
      batch.push(...life.map((event) => moved(event, `${at.stream}-${at.operations}`, number, at.operations)))
    }
    const encoded = encodeEvents({
      stream: at.stream,
      expectedNextRevision: at.revision + 1,
      previousHash: at.hash,
      events: batch,
      salts,
    })
    const result = await store.append(at.stream, at.revision === -1 ? 'no_stream' : at.revision, encoded)
    if (result.type !== 'acknowledged') throw new Error(JSON.stringify(result))
    at.revision = result.revision
    at.hash = encoded.at(-1)?.hash ?? at.hash
  }
}

/** What a registry writes for its opening and the whole life of its first operation. */
async function exampleLife(): Promise<readonly RecordedEvent[]> {
  const { door, store } = await openNode('memory:')
  const name = { workspace: 'default', owner: 'example' }
  await door.send(name, { type: 'RegisterOperation', id: 'x', kind: 'bench', input: { text: 'x'.repeat(280) } })
  const claimed = await door.send(name, { type: 'ProvisioningSucceeded', id: 'x' })
  const leaseEpoch = claimed.type === 'answered' ? claimed.answer.leaseEpoch : undefined
  await door.send(name, { type: 'CompleteOperation', id: 'x', leaseEpoch })
  const life: RecordedEvent[] = []
  for await (const stored of store.readStream(registryStream(name))) life.push(decodeEvent(stored))
  await door.close()
  return life
}

/** The same event of another operation. */
function moved({ revision, event, metadata }: RecordedEvent, id: string, number: number, i: number): RecordedEvent {
  const given: Record<string, unknown> = { ...event.facts, id }
  if ('number' in given) given.number = number
  if ('leaseEpoch' in given) given.leaseEpoch = number + 1
  if ('sequence' in given) given.sequence = i + 1
  const at = metadata.at + i * 10
  return {
    revision,
    event: { ...event, facts: given } as RecordedEvent['event'], // the same facts with other values
    metadata: { ...metadata, at, commandId: `${id}-${event.type}` },
  }
}
