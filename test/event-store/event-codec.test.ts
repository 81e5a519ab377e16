import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EventMetadata, LifecycleEvent } from '../../src/authority/events.ts'
import {
  CodecError,
  createDecoder,
  decodeEvent,
  decodeLogEvent,
  encodeEvents,
  randomSalts,
} from '../../src/event-store/event-codec.ts'
import type { StoredEvent } from '../../src/event-store/event-store.ts'
import { exportedLine, parseExportedLine } from '../../src/event-store/exported-line.ts'
import { GENESIS_HASH } from '../../src/event-store/hash-chain.ts'

const STREAM = 'registry-default/owner'
const SALT = '000102030405060708090a0b0c0d0e0f'

const NOT_AS_WRITTEN =
  'is not in the form in which it is written: a name stands there twice, or out of its place, or something more.'

const metadata: EventMetadata = {
  commandId: 'c-1',
  commandType: 'CompleteOperation',
  commandDigest: '00112233445566778899aabbccddeeff',
  index: 0,
  count: 1,
  at: 1_763_690_000_000,
  actor: 'service',
  ruleset: 1,
}

const completed = (result: never): LifecycleEvent => ({
  type: 'OperationCompleted',
  facts: { id: 'o-1', number: 1, sequence: 1 },
  content: { result },
})

describe('encoding', () => {
  test('gives the same bytes and hashes for ever', () => {
    const [first, second] = encodeEvents({
      stream: STREAM,
      expectedNextRevision: 0,
      previousHash: GENESIS_HASH,
      events: [
        { event: completed('done' as never), metadata },
        {
          event: { type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } },
          metadata: { ...metadata, index: 1 },
        },
      ],
      salts: () => SALT,
    })
    expect(first?.content).toBe(`{"salt":"${SALT}","value":{"result":"done"}}`)
    expect(first?.body).toBe(
      '{"stream":"registry-default/owner","revision":0,"type":"OperationCompleted","version":1,' +
        '"facts":{"id":"o-1","number":1,"sequence":1},"metadata":{"commandId":"c-1","commandType":"CompleteOperation",' +
        '"commandDigest":"00112233445566778899aabbccddeeff","index":0,"count":1,"at":1763690000000,"actor":"service",' +
        '"ruleset":1},"content":"86a2dbba848e34a53d43e8224c2a25242eba1881ca71977650fe54a9b6ef9658"}',
    )
    // Computed apart, with Python's hashlib.
    expect(first?.hash).toBe('3c1b136551414ba559910302ff31c9412699fdc22688711e6f0fc7893ef8ff2d')
    expect(first?.id).toBe('3c1b1365-5141-8ba5-9991-0302ff31c941')
    expect(second?.hash).toBe('575a86d2a7615673977429d44c3f4e444f5a0079144d6d76f2872700a1e6f242')
  })

  test('draws a new salt for every event', () => {
    const salts = randomSalts()
    const drawn = new Set(Array.from({ length: 1_000 }, salts))
    expect(drawn.size).toBe(1_000)
    for (const salt of drawn) expect(salt).toMatch(/^[0-9a-f]{32}$/)
  })

  test('whatever names and values hold, a line is cut into the very same texts and decodes to the same event', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(',"content":{"salt":"', '","content":{"salt":"', '\\', '"}\n', '__proto__', '\ud800', '\u2028'),
    )
    fc.assert(
      fc.property(hostile, hostile, hostile, fc.jsonValue(), (stream, id, actor, value) => {
        const event: LifecycleEvent = {
          type: 'OperationCompleted',
          facts: { id, number: 1, sequence: 1 },
          content: { result: value as never },
        }
        const told = { ...metadata, actor }
        const [encoded] = encodeEvents({
          stream,
          expectedNextRevision: 7,
          previousHash: GENESIS_HASH,
          events: [{ event, metadata: told }],
          salts: () => SALT,
        })
        if (encoded === undefined) throw new Error('nothing was encoded')
        const line = exportedLine(encoded)
        const stored = parseExportedLine(line, stream, 7, 1n)
        expect(stored).toEqual({ ...encoded, stream, revision: 7, position: 1n })
        expect(line.indexOf('\n')).toBe(line.length - 1)
        if (stored === undefined) return
        const asJson = JSON.parse(JSON.stringify({ event, metadata: told }))
        expect(JSON.parse(JSON.stringify(decodeEvent(stored)))).toEqual({ revision: 7, ...asJson })
      }),
    )
  })

  const SURVIVORS = {
    'integer-like keys out of order': '{"b":1,"2":2,"1":1}',
    'a key __proto__': '{"__proto__":{"polluted":true}}',
    'lone surrogates': '["\\ud800","x\\udfffy"]',
    'exponents and extremes': '[1e+21,5e-324,1.7976931348623157e+308,-0.1,1e-7]',
    'separators and control characters': '["\u2028","\\u0000","\\u001f"]',
  }
  test.each(Object.entries(SURVIVORS))('%s survive reading and writing as bytes', (_name, text) => {
    const value = JSON.parse(text)
    const [encoded] = encodeEvents({
      stream: STREAM,
      expectedNextRevision: 0,
      previousHash: GENESIS_HASH,
      events: [{ event: completed(value as never), metadata }],
      salts: () => SALT,
    })
    const { content, body } = encoded ?? { content: '', body: '' }
    expect(JSON.stringify(JSON.parse(content))).toBe(content)
    expect(JSON.stringify(JSON.parse(body))).toBe(body)
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

describe('decoding refuses', () => {
  const good = one({ type: 'OperationStarted', facts: { id: 'o', number: 0, attempt: 1 }, content: {} })
  const cases: [string, Partial<StoredEvent>, string, string][] = [
    [
      'an unknown type',
      { body: good.body.replace('OperationStarted', 'OperationFrozen') },
      'unknown_event_type',
      `the event type 'OperationFrozen' is not known to this version.`,
    ],
    [
      'a newer version',
      { body: good.body.replace('"version":1', '"version":2') },
      'unknown_event_version',
      'OperationStarted has version 2, and this version of Verdict reads up to 1.',
    ],
    [
      'a missing fact',
      { body: good.body.replace('"number":0,', '') },
      'invalid_event',
      'the facts of OperationStarted are not valid at number: Invalid input: expected number, received undefined.',
    ],
    [
      'an unknown fact',
      { body: good.body.replace('"number":0', '"number":0,"x":1') },
      'invalid_event',
      'the facts of OperationStarted are not valid: Unrecognized key: "x".',
    ],
    [
      'broken metadata',
      { body: good.body.replace('"actor":"service"', '"actor":7') },
      'invalid_event',
      'the metadata of OperationStarted are not valid at actor: Invalid input: expected string, received number.',
    ],
    [
      'content without a value',
      { content: '{"salt":""}' },
      'invalid_event',
      'the content of OperationStarted are not valid: Invalid input: expected object, received undefined.',
    ],
    [
      'a body that says a name twice',
      { body: good.body.replace('"id":"o"', '"id":"x","id":"o"') },
      'invalid_event',
      `the body ${NOT_AS_WRITTEN}`,
    ],
    [
      'a body that says more than is read',
      { body: good.body.replace('"version":1', '"version":1,"x":1') },
      'invalid_event',
      `the body ${NOT_AS_WRITTEN}`,
    ],
    [
      'a body with blanks',
      { body: good.body.replace('"version":1', '"version": 1') },
      'invalid_event',
      `the body ${NOT_AS_WRITTEN}`,
    ],
    [
      'content that says a name twice',
      { content: `{"salt":"${SALT}","value":{"x":1},"value":{}}` },
      'invalid_event',
      `the content ${NOT_AS_WRITTEN}`,
    ],
    [
      'content whose salt is none',
      { content: `{"salt":{"a":"${SALT}"},"value":{}}` },
      'invalid_event',
      `the content ${NOT_AS_WRITTEN}`,
    ],
    [
      'content that is as long as the shortest one, and no JSON',
      { content: `{"salt":"${'"'.repeat(32)}","value":{}}` },
      'invalid_event',
      'the content is not JSON.',
    ],
    [
      'content that nobody would come back from',
      { content: `{"salt":"${SALT}","value":{"result":${'['.repeat(20_000)}${']'.repeat(20_000)}}}` },
      'invalid_event',
      'the content is nested deeper than 1024 levels.',
    ],
    [
      'a body whose stream is nested without end',
      { body: good.body.replace(/"stream":"[^"]*"/, `"stream":${'['.repeat(20_000)}${']'.repeat(20_000)}`) },
      'misplaced_event',
      'the body says no stream, or no revision.',
    ],
    [
      'a body that names its content without end',
      { body: good.body.replace(/"content":"[^"]*"/, `"content":${'['.repeat(20_000)}${']'.repeat(20_000)}`) },
      'invalid_event',
      `the body ${NOT_AS_WRITTEN}`,
    ],
    ['a body that is not JSON', { body: '{"stream":' }, 'invalid_event', 'the body is not JSON.'],
    ['a body that is no object', { body: '7' }, 'invalid_event', 'the body is not a JSON object.'],
    ['content that is not JSON', { content: '{' }, 'invalid_event', 'the content is not JSON.'],
    [
      'another stream',
      { stream: 'registry-default/other' },
      'misplaced_event',
      `the body says 'registry-default/owner' at revision 0.`,
    ],
    ['another revision', { revision: 4 }, 'misplaced_event', `the body says 'registry-default/owner' at revision 0.`],
  ]
  test.each(cases)('%s', (_name, change, code, problem) => {
    const stored = { ...good, ...change }
    let thrown: unknown
    try {
      decodeEvent(stored)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(CodecError)
    expect(thrown).toMatchObject({
      code,
      stream: stored.stream,
      revision: stored.revision,
      message: `Stream '${stored.stream}' at revision ${stored.revision}: ${problem}`,
    })
  })

  test('a log event among lifecycle events, and the other way round', () => {
    expect(() => decodeLogEvent(good)).toThrow(CodecError)
  })
})

describe('upcasting', () => {
  const schemas = {
    OperationPaused: {
      version: 3,
      facts: z.strictObject({ id: z.string(), pausedAt: z.int() }),
      content: z.strictObject({}),
    },
  }
  const decode = createDecoder(schemas, {
    OperationHalted: { 1: ({ facts, content }) => ({ type: 'OperationPaused', version: 2, facts, content }) },
    OperationPaused: {
      2: ({ type, facts, content }) => ({
        type,
        version: 3,
        facts: { ...(facts as object), pausedAt: 0 },
        content,
      }),
    },
    Looping: { 1: (event) => event },
    Ping: { 1: (event) => ({ ...event, type: 'Pong' }) },
    Pong: { 1: (event) => ({ ...event, type: 'Ping' }) },
    OperationDropped: { 1: (event) => ({ ...event, type: 'OperationForgotten', version: 2 }) },
  })
  const old = (type: string, version: number) => {
    const stored = one({ type: 'OperationStarted', facts: { id: 'o', number: 0, attempt: 1 }, content: {} })
    const body = stored.body
      .replace('"type":"OperationStarted","version":1', `"type":"${type}","version":${version}`)
      .replace(/"facts":\{[^}]*\}/, '"facts":{"id":"o"}')
    return { ...stored, type, body }
  }

  test('an old version goes step by step to the newest, also through a change of name', () => {
    for (const [type, version] of [
      ['OperationHalted', 1],
      ['OperationPaused', 2],
    ] as const) {
      expect(decode(old(type, version)).event).toEqual({
        type: 'OperationPaused',
        facts: { id: 'o', pausedAt: 0 },
        content: {},
      })
    }
  })

  const REFUSED: readonly [string, string, number, string, string][] = [
    [
      'a version without an upcaster',
      'OperationPaused',
      1,
      'unknown_event_version',
      'OperationPaused has version 1, and this version of Verdict reads up to 3.',
    ],
    [
      'a newer version',
      'OperationPaused',
      4,
      'unknown_event_version',
      'OperationPaused has version 4, and this version of Verdict reads up to 3.',
    ],
    [
      'an upcaster that leads back to the same version',
      'Looping',
      1,
      'unknown_event_version',
      'its upcasters lead from Looping version 1 back to Looping version 1.',
    ],
    [
      'upcasters that lead back over another type',
      'Ping',
      1,
      'unknown_event_version',
      'its upcasters lead from Pong version 1 back to Ping version 1.',
    ],
    [
      'an upcaster to a type that is not known',
      'OperationDropped',
      1,
      'unknown_event_type',
      "the event type 'OperationForgotten' is not known to this version.",
    ],
    [
      'a type with the name of something every object has',
      'constructor',
      1,
      'unknown_event_type',
      "the event type 'constructor' is not known to this version.",
    ],
  ]
  test.each(REFUSED)('refuses %s', (_name, type, version, code, problem) => {
    let thrown: unknown
    try {
      decode(old(type, version))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(CodecError)
    expect(thrown).toMatchObject({ code, message: `Stream '${STREAM}' at revision 0: ${problem}` })
  })

  test('what an upcaster gives must fit the newest schema too', () => {
    const careless = createDecoder(schemas, {
      OperationPaused: { 2: (event) => ({ ...event, version: 3 }) },
    })
    expect(() => careless(old('OperationPaused', 2))).toThrow(
      `Stream '${STREAM}' at revision 0: the facts of OperationPaused are not valid at pausedAt: ` +
        'Invalid input: expected number, received undefined.',
    )
  })
})

function one(event: LifecycleEvent): StoredEvent {
  const [encoded] = encodeEvents({
    stream: STREAM,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    events: [{ event, metadata }],
    salts: () => SALT,
  })
  if (encoded === undefined) throw new Error('nothing was encoded')
  return { ...encoded, stream: STREAM, revision: 0, position: 1n }
}
