/**
 * What the host's thread and the writer thread say to each other: one packed buffer of appends per commit, one packed
 * buffer of answers back, both transferred. Cloning an object per event would cost more than storing it.
 *
 *     batch   u32 appends, then for each:  f64 expected (-1: no stream)  u32 events  u32 name bytes  u32 line bytes
 *                                          64 bytes hash of the last event, name, exported lines
 *     answers for each append:             f64 code  f64 revision  i64 position
 */
import type { AppendResult, ExpectedRevision, NewEvent, RefusalReason } from './event-store.ts'
import { exportedLine } from './exported-line.ts'

export interface AppendToPack {
  readonly stream: string
  readonly expected: ExpectedRevision
  readonly events: readonly NewEvent[]
}

/** An append as the writer thread takes it from a batch; `lines` is a view into the batch. */
export interface PackedAppend {
  readonly stream: string
  /** -1: no stream. */
  readonly expected: number
  readonly count: number
  /** Of the last event. */
  readonly hash: string
  readonly lines: Buffer
}

const BATCH_HEADER_BYTES = 4
const APPEND_HEADER_BYTES = 20
const HASH_TEXT_BYTES = 64

/** Packs into a buffer of its own, ready to be transferred. */
export function packAppends(appends: readonly AppendToPack[]): ArrayBuffer {
  let at = BATCH_HEADER_BYTES
  for (const { stream, expected, events } of appends) {
    let lines = ''
    for (const event of events) lines += exportedLine(event)
    // One UTF-16 unit is at most three bytes.
    reserve(at + APPEND_HEADER_BYTES + HASH_TEXT_BYTES + (stream.length + lines.length) * 3)
    const header = at
    at += APPEND_HEADER_BYTES
    at += staging.write(events.at(-1)?.hash ?? '', at, 'latin1')
    const nameBytes = staging.write(stream, at, 'utf8')
    at += nameBytes
    const lineBytes = staging.write(lines, at, 'utf8')
    at += lineBytes
    staging.writeDoubleLE(expected === 'no_stream' ? -1 : expected, header)
    staging.writeUInt32LE(events.length, header + 8)
    staging.writeUInt32LE(nameBytes, header + 12)
    staging.writeUInt32LE(lineBytes, header + 16)
  }
  staging.writeUInt32LE(appends.length, 0)
  const packed = staging.buffer.slice(staging.byteOffset, staging.byteOffset + at)
  if (staging.length > STAGING_BYTES_KEPT) staging = Buffer.allocUnsafeSlow(STAGING_BYTES_KEPT)
  return packed as ArrayBuffer // allocUnsafeSlow gives no shared memory
}

const STAGING_BYTES_KEPT = 4 * 1024 * 1024
let staging = Buffer.allocUnsafeSlow(64 * 1024)

function reserve(bytes: number): void {
  if (bytes <= staging.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, staging.length * 2))
  staging.copy(larger)
  staging = larger
}

export function unpackAppends(batch: ArrayBuffer): PackedAppend[] {
  const buffer = Buffer.from(batch)
  const appends: PackedAppend[] = []
  let at = BATCH_HEADER_BYTES
  for (let left = buffer.readUInt32LE(0); left > 0; left--) {
    const expected = buffer.readDoubleLE(at)
    const count = buffer.readUInt32LE(at + 8)
    const nameBytes = buffer.readUInt32LE(at + 12)
    const lineBytes = buffer.readUInt32LE(at + 16)
    at += APPEND_HEADER_BYTES
    const hash = buffer.toString('latin1', at, at + HASH_TEXT_BYTES)
    at += HASH_TEXT_BYTES
    const stream = buffer.toString('utf8', at, at + nameBytes)
    at += nameBytes
    appends.push({ stream, expected, count, hash, lines: buffer.subarray(at, at + lineBytes) })
    at += lineBytes
  }
  return appends
}

/** What became of one append, as it travels. `message` travels beside the buffer: it is rare. */
export type AppendAnswer =
  | { readonly type: 'acknowledged'; readonly revision: number; readonly position: bigint }
  /** -1: no stream. */
  | { readonly type: 'conflict'; readonly actual: number }
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly message: string }
  | { readonly type: 'unknown'; readonly message: string }

export interface PackedAnswers {
  readonly answers: ArrayBuffer
  /** By index of the append; undefined where every answer is a plain one. */
  readonly messages?: Readonly<Record<number, string>>
}

const ANSWER_BYTES = 24
const ACKNOWLEDGED = 0
const CONFLICT = 1
const UNKNOWN = 2
const FIRST_REASON = 3
const REASONS: readonly RefusalReason[] = ['full', 'too_large', 'read_only', 'busy', 'closed', 'damaged', 'unavailable']

export function packAnswers(answers: readonly AppendAnswer[]): PackedAnswers {
  const buffer = new ArrayBuffer(answers.length * ANSWER_BYTES)
  const view = new DataView(buffer)
  let messages: Record<number, string> | undefined
  answers.forEach((answer, index) => {
    const at = index * ANSWER_BYTES
    switch (answer.type) {
      case 'acknowledged':
        view.setFloat64(at, ACKNOWLEDGED)
        view.setFloat64(at + 8, answer.revision)
        view.setBigInt64(at + 16, answer.position)
        return
      case 'conflict':
        view.setFloat64(at, CONFLICT)
        view.setFloat64(at + 8, answer.actual)
        return
      case 'unknown':
        view.setFloat64(at, UNKNOWN)
        break
      case 'refused':
        view.setFloat64(at, FIRST_REASON + REASONS.indexOf(answer.reason))
        break
      default:
        answer satisfies never
    }
    messages ??= {}
    messages[index] = answer.message
  })
  return messages ? { answers: buffer, messages } : { answers: buffer }
}

/** The answers in the order of the appends that were packed; `expected` gives what the append at an index expected. */
export function unpackAnswers(
  packed: PackedAnswers,
  expected: (index: number) => ExpectedRevision,
  each: (index: number, result: AppendResult) => void,
): void {
  const view = new DataView(packed.answers)
  for (let index = 0; index < packed.answers.byteLength / ANSWER_BYTES; index++) {
    const at = index * ANSWER_BYTES
    const code = view.getFloat64(at)
    const revision = view.getFloat64(at + 8)
    if (code === ACKNOWLEDGED) {
      each(index, { type: 'acknowledged', revision, position: view.getBigInt64(at + 16) })
    } else if (code === CONFLICT) {
      const actual = revision === -1 ? 'no_stream' : revision
      each(index, { type: 'refused', reason: 'conflict', expected: expected(index), actual })
    } else {
      const message = packed.messages?.[index] ?? ''
      const reason = REASONS[code - FIRST_REASON]
      each(index, reason === undefined ? { type: 'unknown', message } : { type: 'refused', reason, message })
    }
  }
}
