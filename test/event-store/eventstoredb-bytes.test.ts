import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeEvents, randomSalts } from '../../src/event-store/event-codec.ts'
import type { NewEvent } from '../../src/event-store/event-store.ts'
import { chainHash, contentHash, eventIdOf, GENESIS_HASH, verifyChain } from '../../src/event-store/hash-chain.ts'
import { logEventMetadata } from '../../src/event-store/log-events.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { collect, openOn, startServer } from '../support/eventstoredb-rig.ts'

const STREAM = 'registry-default/owner'
const SALT = '000102030405060708090a0b0c0d0e0f'

describe('the bytes of an event survive the server', () => {
  test('whatever the values hold, as the codec writes them', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const key = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', '10', '9', '01', '4294967295', 'constructor', '\ud800', 'hash', 'content'),
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.string({ unit: 'binary' }),
        fc.constantFrom('\ud800', '\udfff\ud800', '\u2028', '\0', '"},"content":{"salt":"'),
        fc.double(),
        fc.constantFrom(-0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740992, null, true),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5, noNullPrototype: true }),
        fc.constant(JSON.parse('{"2":1,"1":{"__proto__":[1]},"a":1,"0":2,"__proto__":{"b":-0.0}}')),
      ),
    }))
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 4 }), async (results) => {
        const stream = `registry-default/owner${run++}`
        const sent = encodeEvents({
          stream,
          expectedNextRevision: 0,
          previousHash: GENESIS_HASH,
          events: results.map((result) => ({
            event: {
              type: 'OperationCompleted',
              facts: { id: 'o-1', number: 1, sequence: 1 },
              content: { result: result as never }, // any JSON value at all
            },
            metadata: logEventMetadata('CompleteOperation', 'c-1', 1_763_690_000_000),
          })),
          salts: randomSalts(),
        })
        expect(await store.append(stream, 'no_stream', sent)).toMatchObject({ type: 'acknowledged' })
        const read = await collect(store.readStream(stream))
        expect(read.map(textsOf)).toEqual(sent.map(textsOf))
        expect(await verifyChain(read)).toMatchObject({ type: 'intact', events: sent.length })
      }),
      { numRuns: 150 },
    )
  })

  test.each([
    ['spaces', '{"a" : 1}'],
    ['an integer-like key that does not stand first', '{"b":1,"1":2}'],
    ['a key that stands twice', '{"a":1,"a":2}'],
    ['numbers spelt in other ways', '[1.0,1E3,-0,1e400,0.1000,12345678901234567890]'],
    ['needless escapes', '"\\u0061\\/"'],
    ['raw lone surrogates', '"\ud800"'.toWellFormed()],
  ])('although parsing and writing would change them: %s', async (_name, value) => {
    const server = await startServer()
    const store = await openOn(server)
    const sent = eventWith(value)
    expect(await store.append(STREAM, 'no_stream', [sent])).toMatchObject({ type: 'acknowledged', revision: 0 })
    const read = await collect(store.readStream(STREAM))
    expect(read.map(textsOf)).toEqual([textsOf(sent)])
    expect(await verifyChain(read)).toMatchObject({ type: 'intact', events: 1 })
  })

  test("as JSON that the server's own tools and projections can read: the exported line", async () => {
    const server = await startServer()
    const store = await openOn(server)
    const [sent] = new CursorEvents('cursors-default/owner').next()
    await store.append('cursors-default/owner', 'no_stream', [sent as NewEvent])
    const [stored] = server.log.stream('cursors-default/owner')
    expect(stored).toMatchObject({ id: sent?.id, type: 'CursorMoved', contentType: 'application/json' })
    expect(stored?.metadata).toHaveLength(0)
    expect(Buffer.from(stored?.data ?? []).toString()).toBe(
      `{"hash":"${sent?.hash}","body":${sent?.body},"content":${sent?.content}}`,
    )
  })
})

function textsOf({ id, hash, type, body, content }: NewEvent) {
  return { id, hash, type, body, content }
}

/** An event in stored form whose value is spelt as it is given. */
function eventWith(value: string): NewEvent {
  const content = `{"salt":"${SALT}","value":${value}}`
  const body =
    `{"stream":"${STREAM}","revision":0,"type":"OperationCompleted","version":1,"facts":{},"metadata":{},` +
    `"content":"${contentHash(content)}"}`
  const hash = chainHash(GENESIS_HASH, body)
  return { id: eventIdOf(hash), hash, type: 'OperationCompleted', body, content }
}
