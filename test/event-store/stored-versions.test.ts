/** What was once stored can be read for ever: the kept examples of every event version (examples/README.md). */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { EVENT_SCHEMAS, metadataSchema } from '../../src/authority/events.ts'
import {
  decodeEvent,
  decodeLogEvent,
  type EventSchemas,
  type EventToEncode,
  encodeEvents,
} from '../../src/event-store/event-codec.ts'
import type { StoredEvent } from '../../src/event-store/event-store.ts'
import { exportedLine, parseExportedLine } from '../../src/event-store/exported-line.ts'
import { GENESIS_HASH, verifyChain } from '../../src/event-store/hash-chain.ts'
import { LOG_EVENT_SCHEMAS } from '../../src/event-store/log-events.ts'
import { registryOfStream } from '../../src/event-store/stream-names.ts'

const FOLDER = path.join(import.meta.dirname, 'examples')

/** A digest that no longer fits means that a kept example was edited: take the edit back, and add a new file. */
const DIGESTS: Readonly<Record<string, string>> = {
  'v1.ndjson': '01027af16b957bb899d42df807f87b96839cea1dd3ca9364835975bedf98aada',
  'v2.ndjson': 'a79e298f45a557e868a08565f7e2fad0df3ca2bc22b064a466bccf22b60cc6d1',
  'v3.ndjson': 'ea01ca2378b40de05fa5fd2c40ec6cd7aa227a2bb147674b33a0e5c1fee2105e',
}

const SCHEMAS: EventSchemas = { ...EVENT_SCHEMAS, ...LOG_EVENT_SCHEMAS }

test('the kept examples are the ones that were kept, to the byte', () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ndjson'))
  expect(
    Object.fromEntries(files.map((file) => [file, hash('sha256', readFileSync(path.join(FOLDER, file)))])),
  ).toEqual(DIGESTS)
})

describe.each(Object.keys(DIGESTS))('of %s', (file) => {
  const lines = readFileSync(path.join(FOLDER, file), 'utf8').split(/(?<=\n)/)
  const events = lines.map(storedIn)

  test('every line is an event, and gives its bytes back', () => {
    expect(events.map(exportedLine)).toEqual(lines)
  })

  test('every stream is an intact chain', async () => {
    for (const [stream, ofStream = []] of Object.entries(Object.groupBy(events, (event) => event.stream))) {
      const { revision = -1, hash: headHash = '' } = ofStream.at(-1) ?? {}
      expect(await verifyChain(ofStream), stream).toEqual({
        type: 'intact',
        events: ofStream.length,
        head: { revision, hash: headHash },
      })
    }
  })

  test.each(events.map((event) => [event.type, event.stream, event.revision, event] as const))(
    '%s (%s, %i) can be read, and written again as the same bytes',
    (_type, stream, revision, event) => {
      const decoded = readBack(event)
      const { version } = JSON.parse(event.body)
      const { salt } = JSON.parse(event.content)
      // What an upcaster has brought forward is written as what it is now.
      if (SCHEMAS[event.type]?.version !== version) return
      const before = events.find((other) => other.stream === stream && other.revision === revision - 1)
      const { id, hash: eventHash, type, body, content } = event
      expect(
        encodeEvents({
          stream,
          expectedNextRevision: revision,
          previousHash: before?.hash ?? GENESIS_HASH,
          events: [decoded],
          salts: () => salt,
        }),
      ).toEqual([{ id, hash: eventHash, type, body, content }])
    },
  )
})

describe('the kept examples show of the current schemas', () => {
  const kept = Object.keys(DIGESTS)
    .flatMap((file) => readFileSync(path.join(FOLDER, file), 'utf8').split(/(?<=\n)/))
    .map((line) => {
      const body = JSON.parse(line).body
      return { ...body, content: JSON.parse(line).content.value }
    })

  test('every type in its version', () => {
    const shown = new Set(kept.map(({ type, version }) => `${type} ${version}`))
    const missing = Object.entries(SCHEMAS).flatMap(([type, { version }]) =>
      shown.has(`${type} ${version}`) ? [] : [`${type} ${version}`],
    )
    expect(missing).toEqual([])
  })

  test('every optional field there and left out, every nullable one null and not, every value of an enumeration', () => {
    const asked = new Set<string>()
    const shown = new Set<string>()
    const enumerations = new Map<z.ZodEnum, Set<unknown>>()
    const walk: Walk = (schema, values, where) => {
      if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
        const empty = schema instanceof z.ZodOptional ? undefined : null
        asked.add(`${where} is ${empty}`).add(`${where} is not ${empty}`)
        for (const value of values) shown.add(`${where} is ${value === empty ? '' : 'not '}${empty}`)
        const present = values.filter((value) => value !== empty)
        walk(schema.unwrap() as z.ZodType, present, where)
      } else if (schema instanceof z.ZodObject) {
        for (const [name, member] of Object.entries(schema.shape)) {
          const members = values.map((value) => (value as Record<string, unknown>)[name])
          walk(member as z.ZodType, members, `${where}.${name}`)
        }
      } else if (schema instanceof z.ZodArray) {
        walk(schema.element as z.ZodType, (values as unknown[][]).flat(1), `${where}[]`)
      } else if (schema instanceof z.ZodEnum) {
        const seen = enumerations.get(schema) ?? new Set()
        for (const value of values) seen.add(value)
        enumerations.set(schema, seen)
      } else {
        // A kind of schema that is not known here could hide an optional field.
        expect(['string', 'number', 'boolean', 'record', 'tuple', 'custom'], where).toContain(schema.def.type)
      }
    }
    for (const [type, { version, facts, content }] of Object.entries(SCHEMAS)) {
      const ofType = kept.filter((event) => event.type === type && event.version === version)
      walk(facts, valuesOf(ofType, 'facts'), `${type} facts`)
      walk(content, valuesOf(ofType, 'content'), `${type} content`)
    }
    walk(metadataSchema, valuesOf(kept, 'metadata'), 'metadata')
    for (const [schema, values] of enumerations) expect([...values].sort()).toEqual([...schema.options].sort())
    expect([...asked].filter((each) => !shown.has(each))).toEqual([])
    expect(asked).toContain('OperationRegistered facts.policy.queue.jobTimeoutMs is undefined')
  })
})

type Walk = (schema: z.ZodType, values: readonly unknown[], where: string) => void

function valuesOf(events: readonly Record<string, unknown>[], part: string): readonly unknown[] {
  return events.map((event) => event[part])
}

function storedIn(line: string): StoredEvent {
  const { stream, revision } = JSON.parse(line).body
  const event = parseExportedLine(line, stream, revision, 1n)
  if (event === undefined) throw new Error(`not an exported event: ${line}`)
  return event
}

function readBack(event: StoredEvent): EventToEncode {
  return registryOfStream(event.stream) === undefined ? decodeLogEvent(event) : decodeEvent(event)
}
