/**
 * The event codec: whatever bytes a log holds, they are an event or a named error; what was decoded is written again as the very
 * bytes it was read from, and verifying a log neither throws nor misses a byte.
 */
import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { verifyLog } from '../../../src/audit/verify.ts'
import { step } from '../../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../../src/authority/registry.ts'
import { plainOf, SNAPSHOT_SCHEMA } from '../../../src/authority/registry-snapshot.ts'
import {
  CodecError,
  decodeEvent,
  decodeLogEvent,
  decodeTrusted,
  encodeEvents,
} from '../../../src/event-store/event-codec.ts'
import type { EventReader, StoredEvent } from '../../../src/event-store/event-store.ts'
import { exportedLine, parseExportedLine } from '../../../src/event-store/exported-line.ts'
import { chainHash, contentHash, eventIdOf, GENESIS_HASH } from '../../../src/event-store/hash-chain.ts'
import { registryOfStream } from '../../../src/event-store/stream-names.ts'
import { aliveMarkFile } from '../../../src/reconciler/alive-mark.ts'
import { loadRegistry } from '../../../src/shell/registry-loader.ts'
import { byteChange, edited } from './edits.ts'
import { fuzzTarget, mustHold } from './fuzz-target.ts'
import { isPolluted } from './hostile-values.ts'
import { goodEvents, goodLogs } from './stored-lines.ts'

type CodecInput =
  | { readonly type: 'texts'; readonly stored: StoredEvent }
  | { readonly type: 'line'; readonly line: string; readonly of: StoredEvent }
  | {
      readonly type: 'byte'
      readonly log: readonly StoredEvent[]
      readonly which: number
      readonly change: (bytes: Buffer) => Buffer
    }
  | {
      readonly type: 'chained_again'
      readonly log: readonly StoredEvent[]
      readonly which: number
      readonly body: string
      readonly content: string
    }
  | {
      readonly type: 'snapshot'
      readonly log: readonly StoredEvent[]
      readonly text: string
      readonly isSealed: boolean
    }
  | { readonly type: 'alive_mark'; readonly text: string }

const which = fc.nat({ max: 0xffff })

const texts = goodEvents.chain((good) =>
  fc
    .record({ body: edited(fc.constant(good.body), 'json'), content: edited(fc.constant(good.content), 'json') })
    .map(({ body, content }): CodecInput => ({ type: 'texts', stored: { ...good, body, content } })),
)
const line = goodEvents.chain((of) =>
  edited(fc.constant(exportedLine(of))).map((text): CodecInput => ({ type: 'line', line: text, of })),
)
const byte = fc
  .tuple(goodLogs, which, byteChange)
  .map(([log, at, change]): CodecInput => ({ type: 'byte', log, which: at, change }))
/** Whoever may write the file may hash again what he changed: then the codec and the fold are what is left to refuse it. */
const chainedAgain = fc.tuple(goodLogs, which).chain(([log, at]) => {
  const { body, content } = eventAt(log, at)
  return fc
    .record({ body: edited(fc.constant(body), 'json'), content: edited(fc.constant(content), 'json') })
    .map((changed): CodecInput => ({ type: 'chained_again', log, which: at, ...changed }))
})
const snapshot = goodLogs.chain((log) =>
  fc
    .record({ text: edited(fc.constant(snapshotText(log)), 'json'), isSealed: fc.boolean() })
    .map((changed): CodecInput => ({ type: 'snapshot', log, ...changed })),
)
const aliveMark = edited(
  fc.constant('{"aliveAt":1763690000000,"unheard":[{"from":1763680000000,"to":1763680005000},{"from":1,"to":2}]}'),
  'json',
).map((text): CodecInput => ({ type: 'alive_mark', text }))

export const codecTarget = fuzzTarget<CodecInput>({
  name: 'codec',
  about: 'bytes of a log, of its snapshots and of the mark of being alive',
  runs: 500,
  async open() {
    const folder = mkdtempSync(path.join(tmpdir(), 'verdict-fuzz-'))
    return {
      inputs: fc.oneof(
        { weight: 5, arbitrary: texts },
        { weight: 3, arbitrary: line },
        { weight: 3, arbitrary: byte },
        { weight: 4, arbitrary: chainedAgain },
        { weight: 1, arbitrary: snapshot },
        { weight: 1, arbitrary: aliveMark },
      ),
      check: (input) => checked(input, folder),
      close: async () => rmSync(folder, { recursive: true }),
    }
  },
})

async function checked(input: CodecInput, folder: string): Promise<void> {
  switch (input.type) {
    case 'texts':
      decodesOrSays(input.stored)
      break
    case 'line':
      lineIsWholeOrNone(input.line, input.of)
      break
    case 'byte':
      await changedByteIsFound(input)
      break
    case 'chained_again':
      await isJudged(rechained(input))
      break
    case 'snapshot':
      await snapshotIsRightOrIgnored(input)
      break
    case 'alive_mark':
      markMakesSense(path.join(folder, 'alive'), input.text)
      break
    default:
      throw new Error(`unknown input ${input satisfies never}`)
  }
  mustHold(!isPolluted(), () => 'a prototype was changed')
}

/** An event, which is written again as the same bytes; or a named error. */
function decodesOrSays(stored: StoredEvent): void {
  for (const decode of [decodeEvent, decodeLogEvent]) {
    const decoded = codecErrorOr(() => decode(stored))
    if (decoded === undefined) continue
    const [again] = encodeEvents({
      stream: stored.stream,
      expectedNextRevision: stored.revision,
      previousHash: GENESIS_HASH,
      events: [decoded],
      salts: () => JSON.parse(stored.content).salt,
    })
    // Whether the body names the hash of this content is for the chain to say.
    mustHold(
      again !== undefined && beforeContentHash(again.body) === beforeContentHash(stored.body),
      () => `the body\n  ${stored.body}\n  was decoded, and is written again as\n  ${again?.body}`,
    )
    mustHold(
      again?.content === stored.content,
      () => `the content ${stored.content} was decoded, and is written again as ${again?.content}`,
    )
    mustHold(
      codecErrorOr(() => decodeTrusted(stored)) !== undefined || decode === decodeLogEvent,
      () => 'it is decoded with distrust, and not with trust',
    )
  }
  codecErrorOr(() => decodeTrusted(stored))
}

const beforeContentHash = (body: string) => body.replace(/(?<=,"content":).*$/, '')

function codecErrorOr<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function lineIsWholeOrNone(text: string, { stream, revision, position }: StoredEvent): void {
  const stored = parseExportedLine(text, stream, revision, position)
  if (stored === undefined) return
  mustHold(
    withoutLineEnd(exportedLine(stored)) === withoutLineEnd(text),
    () => `the line\n  ${text}\n  was cut into texts that make\n  ${exportedLine(stored)}`,
  )
  decodesOrSays(stored)
}

const withoutLineEnd = (text: string) => (text.endsWith('\n') ? text.slice(0, -1) : text)

async function changedByteIsFound({ log, which: at, change }: CodecInput & { readonly type: 'byte' }): Promise<void> {
  const event = eventAt(log, at)
  const good = withoutLineEnd(exportedLine(event))
  const text = change(Buffer.from(good)).toString()
  if (withoutLineEnd(text) === good) return
  const changed = parseExportedLine(text, event.stream, event.revision, event.position)
  if (changed === undefined) return
  const { faults } = await verifyLog(logOf(log.map((one) => (one === event ? changed : one))))
  mustHold(faults.length > 0, () => `nothing was found of\n  ${text}\n  in the place of\n  ${good}`)
}

/** The log with one event changed, and its stream hashed again from there on. */
function rechained({
  log,
  which: at,
  body,
  content,
}: CodecInput & { readonly type: 'chained_again' }): readonly StoredEvent[] {
  const changed = eventAt(log, at)
  let previous: string | undefined
  return log.map((event) => {
    if (event.stream !== changed.stream) return event
    const text = event === changed ? content : event.content
    const whole = (event === changed ? body : event.body).replace(
      /"content":"[0-9a-f]{64}"\}$/,
      () => `"content":"${contentHash(text)}"}`,
    )
    const next = chainHash(previous ?? GENESIS_HASH, whole)
    previous = next
    return { ...event, hash: next, id: eventIdOf(next), body: whole, content: text }
  })
}

/** Verifying tells what it finds, and throws for nothing of it; so does loading. */
async function isJudged(log: readonly StoredEvent[]): Promise<void> {
  const { faults } = await verifyLog(logOf(log))
  for (const { code, message } of faults)
    mustHold(/^[a-z_]+$/.test(code) && message !== '', () => `a fault without words: ${code} ${message}`)
  const stream = log.find((event) => registryOfStream(event.stream) !== undefined)?.stream
  if (stream === undefined) return
  const loaded = await stoppedOr(() => loadRegistry(logOf(log), stream, undefined))
  const isSound = faults.every((fault) => fault.stream !== stream)
  mustHold(
    (loaded !== undefined) === isSound,
    () => `${stream} is ${isSound ? 'sound' : 'not sound'}, and was ${loaded === undefined ? 'not ' : ''}loaded`,
  )
}

async function stoppedOr<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load()
  } catch (error) {
    if (error instanceof Error && error.name === 'RegistryStopped') return undefined
    throw error
  }
}

/** What a snapshot says is what folding gives; what it can't say is folded. One that is sealed again by hand may say anything. */
async function snapshotIsRightOrIgnored({
  log,
  text,
  isSealed,
}: CodecInput & { readonly type: 'snapshot' }): Promise<void> {
  const { stream, revision, hash: last } = lastOfRegistry(log) ?? {}
  if (stream === undefined || revision === undefined || last === undefined) return
  const state = isSealed
    ? `${hash('sha256', text, 'hex')}${text}`
    : `${hash('sha256', snapshotText(log), 'hex')}${text}`
  const entry = { logId: 'log', timeline: 1, stream, revision, hash: last, schema: SNAPSHOT_SCHEMA, state }
  const cache = { load: () => entry, save: () => {}, delete: () => {}, close: () => {} }
  const { loaded } = await loadRegistry(logOf(log), stream, cache)
  if (isSealed) return
  const folded = await loadRegistry(logOf(log), stream, undefined)
  mustHold(plain(loaded.state) === plain(folded.loaded.state), () => `the snapshot ${text} was believed`)
}

function snapshotText(log: readonly StoredEvent[]): string {
  let state: RegistryState | undefined
  const { stream } = lastOfRegistry(log) ?? {}
  const events = log.filter((event) => event.stream === stream)
  for (const event of events) state = step(state ?? EMPTY_REGISTRY, decodeEvent(event)).state
  return state === undefined ? '{}' : plain(state)
}

const plain = (state: RegistryState) => JSON.stringify(plainOf(state))

function lastOfRegistry(log: readonly StoredEvent[]): StoredEvent | undefined {
  return log.findLast((event) => registryOfStream(event.stream) !== undefined)
}

function markMakesSense(file: string, text: string): void {
  writeFileSync(file, text)
  const mark = aliveMarkFile(file).read()
  if (mark === undefined) return
  const times = [mark.aliveAt, ...mark.unheard.flatMap(({ from, to }) => [from, to])]
  mustHold(
    times.every((at) => Number.isSafeInteger(at) && at >= 0),
    () => `a mark at no time: ${text}`,
  )
  mustHold(
    mark.unheard.every(({ from, to }) => from <= to),
    () => `a time that ends before it begins: ${text}`,
  )
}

function eventAt(log: readonly StoredEvent[], at: number): StoredEvent {
  const event = log[Math.floor((at / 0x10000) * log.length)]
  if (event === undefined) throw new Error('a log without events')
  return event
}

/** What loading and verifying ask of a log. */
function logOf(log: readonly StoredEvent[]): EventReader {
  async function* all() {
    yield* log
  }
  async function* ofStream(stream: string, { from = 0, limit = Number.POSITIVE_INFINITY } = {}) {
    let given = 0
    for (const event of log) {
      if (event.stream !== stream || event.revision < from || given === limit) continue
      given++
      yield event
    }
  }
  const asked = { identity: async () => ({ logId: 'log', timeline: 1 }), readAll: all, readStream: ofStream }
  return asked as unknown as EventReader // nothing else is asked of it
}
