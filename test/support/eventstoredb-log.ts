/**
 * The log inside the protocol server: streams, positions and the rule of an append, as EventStoreDB 24.2.0 was seen to
 * answer. Idempotency with an exact expectation compares ids with the stored stream; with `any` it looks only at the
 * first id.
 */

export interface ServerRecord {
  readonly stream: string
  readonly revision: number
  readonly position: bigint
  readonly id: string
  readonly type: string
  readonly contentType: string
  readonly data: Uint8Array
  readonly metadata: Uint8Array
}

export type ProposedRecord = Pick<ServerRecord, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>

export type ServerExpectation = number | 'no_stream' | 'any' | 'stream_exists'

export type ServerAnswer =
  | { readonly type: 'success'; readonly revision: number; readonly position: bigint }
  | { readonly type: 'wrong_expected_version'; readonly current: number | 'no_stream' }
  | { readonly type: 'too_large' }
  | { readonly type: 'deleted' }

export class ServerLog {
  readonly records: ServerRecord[] = []
  readonly #streams = new Map<string, ServerRecord[]>()
  readonly #deleted = new Set<string>()
  readonly #listeners = new Set<(record: ServerRecord) => void>()
  maxAppendSize = 1024 * 1024
  /** Where the next record begins, beyond the last one: a new file. */
  nextAt: bigint | undefined

  constructor() {
    // What every real log begins with.
    this.write('$settings', { type: '$settings' })
  }

  stream(name: string): readonly ServerRecord[] {
    return this.#streams.get(name) ?? []
  }

  isDeleted(name: string): boolean {
    return this.#deleted.has(name)
  }

  tombstone(name: string): void {
    this.#deleted.add(name)
    this.#streams.delete(name)
  }

  onRecord(listener: (record: ServerRecord) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Past every rule: the server's own events, and what others write into a stream. */
  write(stream: string, { id = crypto.randomUUID(), type = 'Foreign', data = '{}' }: Partial<ForeignRecord>): void {
    this.#store(stream, [
      { id, type, contentType: 'application/json', data: Buffer.from(data), metadata: new Uint8Array() },
    ])
  }

  append(stream: string, expected: ServerExpectation, proposed: readonly ProposedRecord[]): ServerAnswer {
    if (this.#deleted.has(stream)) return { type: 'deleted' }
    if (proposed.reduce((sum, { data }) => sum + data.length, 0) > this.maxAppendSize) return { type: 'too_large' }
    const stored = this.stream(stream)
    const current = stored.length === 0 ? 'no_stream' : stored.length - 1
    if (expected === 'any' || (expected === 'stream_exists' && current !== 'no_stream')) {
      const known = stored.findIndex(({ id }) => id === proposed[0]?.id)
      if (known === -1) return this.#store(stream, proposed)
      return this.#again(stored, known, proposed) ?? { type: 'wrong_expected_version', current }
    }
    if (expected === current) return this.#store(stream, proposed)
    if (expected === 'stream_exists') return { type: 'wrong_expected_version', current }
    const next = expected === 'no_stream' ? 0 : expected + 1
    return this.#again(stored, next, proposed) ?? { type: 'wrong_expected_version', current }
  }

  #again(stored: readonly ServerRecord[], from: number, proposed: readonly ProposedRecord[]): ServerAnswer | undefined {
    if (!proposed.every(({ id }, index) => stored[from + index]?.id === id)) return undefined
    const last = stored[from + proposed.length - 1]
    return last && { type: 'success', revision: last.revision, position: last.position }
  }

  #store(stream: string, proposed: readonly ProposedRecord[]): ServerAnswer {
    const stored = this.#streams.get(stream) ?? []
    this.#streams.set(stream, stored)
    for (const one of proposed) {
      const before = this.records.at(-1)
      const behind = before === undefined ? 0n : before.position + BigInt(before.data.length + RECORD_BYTES_AROUND)
      const position = this.nextAt ?? behind
      this.nextAt = undefined
      const record = { ...one, stream, revision: stored.length, position }
      stored.push(record)
      this.records.push(record)
    }
    // Subscribers hear of an append when all of it is there.
    for (const record of stored.slice(stored.length - proposed.length)) {
      for (const listener of this.#listeners) listener(record)
    }
    const last = stored.at(-1)
    return { type: 'success', revision: stored.length - 1, position: last?.position ?? 0n }
  }
}

interface ForeignRecord {
  readonly id: string
  readonly type: string
  /** JSON, or what pretends to be. */
  readonly data: string
}

const RECORD_BYTES_AROUND = 130
