/** The chain of hashes, judged twice: by the product, and by a Python program that shares nothing with it but the format. */
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventMetadata, LifecycleEvent } from '../../src/authority/events.ts'
import { encodeEvents } from '../../src/event-store/event-codec.ts'
import type { NewEvent, StoredEvent } from '../../src/event-store/event-store.ts'
import { exportedLine, parseExportedLine } from '../../src/event-store/exported-line.ts'
import {
  type ChainPoint,
  chainFault,
  chainHash,
  contentHash,
  eventIdOf,
  GENESIS_HASH,
  verifyChain,
} from '../../src/event-store/hash-chain.ts'
import { registryStream } from '../../src/event-store/stream-names.ts'
import { needs } from '../support/needs.ts'
import { seededRandom } from '../support/seeded-random.ts'

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples')
const ALICE = registryStream({ workspace: 'default', owner: 'alice' })
const HOSTILE = registryStream({ workspace: 'Zürich "West"', owner: `it's \\ (mine)` })

const METADATA: EventMetadata = {
  commandId: '01997f6e-0000-7000-8000-000000000001',
  commandType: 'CompleteOperation',
  commandDigest: '00112233445566778899aabbccddeeff',
  index: 0,
  count: 1,
  at: 1_763_690_000_000,
  actor: 'service "main"',
  ruleset: 1,
}

const EVENTS: readonly LifecycleEvent[] = [
  { type: 'OperationStarted', facts: { id: '"},"content":{"salt":"', number: 1, attempt: 1 }, content: {} },
  {
    type: 'ProgressReported',
    facts: { id: 'naïve\u2028日本\ufffd\ud83d\ude80', number: 1, reports: 1, percent: 12.5 },
    content: { message: 'said "half" \\ done\n\ud800' },
  },
  {
    type: 'OperationCompleted',
    facts: { id: 'report', number: 1, sequence: 1 },
    content: { result: { b: 1, '2': [null, true], '1': ',"content":{"salt":"' } },
  },
  { type: 'OwnerRetired', facts: {}, content: { reason: 'the tenant left' } },
]

describe('a chain is intact', () => {
  test('from revision 0 to its head', async () => {
    const events = stored(ALICE)
    expect(await verifyChain(events)).toEqual({ type: 'intact', events: 4, head: pointOf(events, 3) })
  })

  test('from an event that is known to be good', async () => {
    const events = stored(ALICE)
    const known = pointOf(events, 1)
    expect(await verifyChain(events.slice(2), known)).toEqual({ type: 'intact', events: 2, head: pointOf(events, 3) })
    expect(await verifyChain([], known)).toEqual({ type: 'intact', events: 0, head: known })
  })

  test('without any event, and then it has no head', async () => {
    expect(await verifyChain([])).toEqual({ type: 'intact', events: 0, head: undefined })
  })
})

describe('the first fault is named:', () => {
  const good = stored(ALICE)
  const changed = (revision: number, change: (event: StoredEvent) => Partial<StoredEvent>) =>
    good.map((event) => (event.revision === revision ? { ...event, ...change(event) } : event))
  const wrongContentHash = contentHash(at(good, 2).content.replace('true', 'false'))

  const CASES: readonly [string, readonly StoredEvent[], string, number, string][] = [
    ['an event is missing', good.toSpliced(1, 1), 'revision_gap', 1, 'revision 2 stands in its place.'],
    ['an event stands twice', good.toSpliced(1, 0, at(good, 0)), 'revision_gap', 1, 'revision 0 stands in its place.'],
    ['the first event is missing', good.slice(1), 'revision_gap', 0, 'revision 1 stands in its place.'],
    [
      'two events stand in each other’s place',
      [at(good, 0), at(good, 2), at(good, 1), at(good, 3)],
      'revision_gap',
      1,
      'revision 2 stands in its place.',
    ],
    [
      'another stream’s event was put in',
      changed(1, () => ({ body: at(stored(HOSTILE), 1).body })),
      'body_misplaced',
      1,
      'the body names another stream or revision.',
    ],
    [
      'the body names another revision',
      changed(1, ({ body }) => ({ body: body.replace('"revision":1', '"revision":2') })),
      'body_misplaced',
      1,
      'the body names another stream or revision.',
    ],
    [
      'the content was changed',
      changed(2, ({ content }) => ({ content: content.replace('true', 'false') })),
      'content_changed',
      2,
      `the content has the hash ${wrongContentHash}, which its body does not name.`,
    ],
    [
      'the body was changed',
      changed(2, ({ body }) => ({ body: body.replace('"sequence":1', '"sequence":2') })),
      'chain_broken',
      2,
      `its hash must be ${chainHash(at(good, 1).hash, at(good, 2).body.replace('"sequence":1', '"sequence":2'))} ` +
        `after its predecessor, and is ${at(good, 2).hash}.`,
    ],
    [
      'the body was changed and hashed anew, so its successor does not follow',
      changed(1, ({ body }) => rehashed(at(good, 0).hash, body.replace('12.5', '99.5'))),
      'chain_broken',
      2,
      `its hash must be ${chainHash(rehashed(at(good, 0).hash, at(good, 1).body.replace('12.5', '99.5')).hash, at(good, 2).body)} ` +
        `after its predecessor, and is ${at(good, 2).hash}.`,
    ],
    [
      'the id is another one',
      changed(3, () => ({ id: at(good, 2).id })),
      'id_mismatch',
      3,
      `its id must be ${at(good, 3).id}, and is ${at(good, 2).id}.`,
    ],
  ]
  test.each(CASES)('%s', async (_name, events, code, revision, message) => {
    expect(await verifyChain(events)).toEqual({
      type: 'broken',
      events: revision,
      fault: { code, stream: ALICE, revision, message: `Stream '${ALICE}' at revision ${revision}: ${message}` },
    })
  })

  test('a predecessor that is no hash is our own mistake', () => {
    expect(() => chainHash('beef', '{}')).toThrow(
      "A hash is 64 hexadecimal digits; the chain was to go on from 'beef'.",
    )
  })
})

test('a body larger than any before it is hashed whole', () => {
  const body = 'ä€\ud83d\ude80'.repeat(100_000)
  const bytes = Buffer.concat([Buffer.alloc(32), Buffer.from(body)])
  expect(chainHash(GENESIS_HASH, body)).toBe(hash('sha256', bytes, 'hex'))
})

/** Two streams in one export, the way a log gives them: interleaved. */
const EXPORT = stored(ALICE)
  .flatMap((event, index) => [event, at(stored(HOSTILE), index)])
  .map(exportedLine)

describe.skipIf(!needs('python3'))('a verifier in another language agrees', () => {
  const [
    alice0 = '',
    hostile0 = '',
    alice1 = '',
    hostile1 = '',
    alice2 = '',
    hostile2 = '',
    alice3 = '',
    hostile3 = '',
  ] = EXPORT
  const headOf = (stream: string, revision: number) => `${stream} ${revision} ${at(stored(stream), revision).hash}`

  test('on good logs, and tells the same heads', () => {
    expect(python(EXPORT.join(''))).toEqual({
      status: 0,
      told: `${headOf(ALICE, 3)}\n${headOf(HOSTILE, 3)}\n`,
      fault: '',
    })
    expect(python('')).toEqual({ status: 0, told: '', fault: '' })
    expect(product(Buffer.from(EXPORT.join('')))).toEqual([headOf(ALICE, 3), headOf(HOSTILE, 3)])
  })

  test('on a tail that was cut off: neither sees it, and both tell the head that is left', () => {
    const left = [headOf(ALICE, 2), headOf(HOSTILE, 3)]
    const cut = [alice0, hostile0, alice1, hostile1, alice2, hostile2, hostile3].join('')
    expect(python(cut)).toEqual({ status: 0, told: left.map((head) => `${head}\n`).join(''), fault: '' })
    expect(product(Buffer.from(cut))).toEqual(left)
  })

  const inPlaceOf = (line: string, other: string) => EXPORT.map((each) => (each === line ? other : each)).join('')
  const rehashedLine = (event: StoredEvent, body: string, before: string) =>
    exportedLine({ ...event, ...rehashed(before, body) })
  const BROKEN: readonly [string, string, string][] = [
    ['a changed body', inPlaceOf(alice1, alice1.replace('12.5', '99.5')), `${ALICE} 1`],
    ['a changed content', inPlaceOf(hostile2, hostile2.replace('true', 'false')), `${HOSTILE} 2`],
    [
      'a changed hash',
      inPlaceOf(
        alice3,
        alice3.replace(/"hash":"./, (start) => flipped(start)),
      ),
      `${ALICE} 3`,
    ],
    [
      'a body hashed anew, whose successor does not follow',
      inPlaceOf(
        alice1,
        rehashedLine(
          at(stored(ALICE), 1),
          at(stored(ALICE), 1).body.replace('12.5', '99.5'),
          at(stored(ALICE), 0).hash,
        ),
      ),
      `${ALICE} 2`,
    ],
    ['a removed line', inPlaceOf(hostile1, ''), `${HOSTILE} 1`],
    ['a removed first line', inPlaceOf(alice0, ''), `${ALICE} 0`],
    ['a line that stands twice', inPlaceOf(alice1, alice1 + alice1), `${ALICE} 2`],
    ['an inserted line', inPlaceOf(alice2, alice1 + alice2), `${ALICE} 2`],
    ['swapped lines', [alice0, hostile0, alice2, hostile1, alice1, hostile2, alice3].join(''), `${ALICE} 1`],
    [
      'another stream’s event under this name',
      inPlaceOf(alice2, hostile2.replace(JSON.stringify(HOSTILE), JSON.stringify(ALICE))),
      `${ALICE} 2`,
    ],
  ]
  test.each(BROKEN)('on %s', (_name, log, place) => {
    const { status, told, fault } = python(log)
    expect({ status, told, place: placeIn(fault) }).toEqual({ status: 1, told: '', place })
    expect(product(Buffer.from(log))).toEqual({ place })
  })

  const NO_LINES: readonly [string, string][] = [
    ['half a line', alice0.slice(0, 200)],
    ['an empty line', '\n'],
    ['another order of members', alice0.replace('{"hash"', '{ "hash"')],
    ['no content', alice0.replace(',"content":{"salt":"', ',"sealed":{"salt":"')],
    ['something behind the line', `${alice0.trimEnd()} \n`],
  ]
  test.each(NO_LINES)('that %s is no exported event', (_name, log) => {
    expect(python(log)).toEqual({ status: 1, told: '', fault: 'Line 1 is not an exported event.\n' })
    expect(product(Buffer.from(log))).toEqual({ place: 'line 1' })
  })

  test('on every single flipped bit of a seeded sample: both find each', () => {
    const log = Buffer.from(EXPORT.join(''))
    const random = seededRandom(20_261_121)
    const flips = Array.from({ length: 2_000 }, () => ({
      at: Math.floor(random() * log.length),
      bit: 1 << Math.floor(random() * 8),
    }))
    // The last line end and each byte of the first line's frame, whatever the sample holds.
    for (let place = 0; place < 90; place++) flips.push({ at: place, bit: 0x20 })
    flips.push({ at: log.length - 1, bit: 1 })
    const missedByProduct = flips.filter((flip) => Array.isArray(product(withFlip(log, flip))))
    expect(missedByProduct).toEqual([])
    expect(flipsMissedByPython(log, flips)).toEqual([])
  })
})

describe('hostile names', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(
        '"',
        '\\',
        ',"content":{"salt":"',
        '{',
        '}',
        '\n',
        '\u2028',
        '\ud800',
        '\udc00',
        '日',
        '\0',
      ),
    }),
    fc.constantFrom(',"content":{"salt":"', '","content":{"salt":"', '\\","content":{"salt":"', '__proto__'),
  )

  test('in ids, owners, kinds and labels never move the boundary: a line gives its texts back byte for byte', () => {
    fc.assert(
      fc.property(
        fc.record({ id: hostile, owner: hostile, kind: hostile, label: hostile, value: hostile, actor: hostile }),
        ({ id, owner, kind, label, value, actor }) => {
          const stream = registryStream({ workspace: 'default', owner: owner.toWellFormed() })
          const event: LifecycleEvent = {
            type: 'OperationRegistered',
            facts: {
              id,
              kind,
              kindFacts: {
                expectsPeer: false,
                feed: 'emit',
                wakeOwner: true,
                retention: 'retain',
                phases: [kind, label],
              },
              policy: null,
              key: value,
              retryOf: { id, number: 1 },
            },
            content: { name: value, labels: { [label]: value }, phaseResults: { [kind]: value } },
          }
          const [encoded] = encode(stream, [event], { ...METADATA, actor, correlationId: value })
          if (encoded === undefined) throw new Error('nothing was encoded')
          const bytes = Buffer.from(exportedLine(encoded))
          // By bytes, as the Python program cuts: the same place as by text.
          const boundary = bytes.indexOf(',"content":{"salt":"')
          expect(bytes.subarray(82, boundary).toString()).toBe(encoded.body)
          expect(bytes.subarray(boundary + ',"content":'.length, -2).toString()).toBe(encoded.content)
          const parsed = parseExportedLine(bytes.toString(), stream, 0, 1n)
          expect(parsed).toEqual({ ...encoded, stream, revision: 0, position: 1n })
          if (parsed === undefined) return
          expect(chainFault(parsed, undefined)).toBeUndefined()
          expect(Buffer.from(exportedLine(parsed)).equals(bytes)).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })
})

function encode(stream: string, events: readonly LifecycleEvent[], metadata: EventMetadata): NewEvent[] {
  let drawn = 0
  return encodeEvents({
    stream,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    events: events.map((event) => ({ event, metadata })),
    salts: () => (drawn++).toString(16).padStart(32, '0'),
  })
}

function stored(stream: string): readonly StoredEvent[] {
  return encode(stream, EVENTS, METADATA).map((event, revision) => ({
    ...event,
    stream,
    revision,
    position: BigInt(revision + 1),
  }))
}

function at(events: readonly StoredEvent[], revision: number): StoredEvent {
  const event = events[revision]
  if (event === undefined) throw new Error(`there is no event ${revision}`)
  return event
}

function pointOf(events: readonly StoredEvent[], revision: number): ChainPoint {
  return { revision, hash: at(events, revision).hash }
}

function rehashed(before: string, body: string): Pick<StoredEvent, 'body' | 'hash' | 'id'> {
  const hash = chainHash(before, body)
  return { body, hash, id: eventIdOf(hash) }
}

function flipped(text: string): string {
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0')
}

/** The heads of an export, or where its first fault is, by the product's own judgement. */
function product(log: Buffer): readonly string[] | { readonly place: string } {
  const heads = new Map<string, ChainPoint>()
  const lines = log.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? []
  for (const [index, latin] of lines.entries()) {
    const event = eventIn(Buffer.from(latin, 'latin1'))
    if (event === undefined) return { place: `line ${index + 1}` }
    const fault = chainFault(event, heads.get(event.stream))
    if (fault !== undefined) return { place: `${fault.stream} ${fault.revision}` }
    heads.set(event.stream, { revision: event.revision, hash: event.hash })
  }
  return [...heads].map(([stream, { revision, hash }]) => `${stream} ${revision} ${hash}`)
}

function eventIn(bytes: Buffer): StoredEvent | undefined {
  try {
    const line = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const start = /"body":\{"stream":("(?:[^"\\]|\\.)*"),"revision":(0|[1-9][0-9]*),/.exec(line)
    if (start === null) return undefined
    return parseExportedLine(line, JSON.parse(start[1] ?? ''), Number(start[2]), 0n)
  } catch {
    return undefined // not UTF-8, or a name that is not JSON
  }
}

function python(log: string): { readonly status: number | null; readonly told: string; readonly fault: string } {
  const run = spawnSync('python3', [path.join(EXAMPLES, 'verify_chain.py')], { input: log, encoding: 'utf8' })
  return { status: run.status, told: run.stdout, fault: run.stderr }
}

function placeIn(fault: string): string {
  return fault.replace(/^Stream '(.*)' at revision (\d+): .*\n$/s, '$1 $2')
}

interface Flip {
  readonly at: number
  readonly bit: number
}

function withFlip(log: Buffer, { at: place, bit }: Flip): Buffer {
  const copy = Buffer.from(log)
  copy[place] = (copy[place] ?? 0) ^ bit
  return copy
}

/** The same program, asked many times in one process. */
function flipsMissedByPython(log: Buffer, flips: readonly Flip[]): unknown {
  const asksEach = `
import io, json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from verify_chain import verify
asked = json.load(sys.stdin)
missed = []
for flip in asked["flips"]:
    log = bytearray.fromhex(asked["log"])
    log[flip["at"]] ^= flip["bit"]
    try:
        verify(io.BytesIO(log))
        missed.append(flip)
    except ValueError:
        pass
print(json.dumps(missed))
`
  const run = spawnSync('python3', ['-c', asksEach, EXAMPLES], {
    input: JSON.stringify({ log: log.toString('hex'), flips }),
    encoding: 'utf8',
  })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}
