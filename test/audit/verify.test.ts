/** A whole log read again with distrust: intact ones, ones that fit heads kept elsewhere, and forged ones. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type VerifiedStream, type VerifyFault, type VerifyReport, verifyLog } from '../../src/audit/verify.ts'
import { DEFAULT_LIMITS, type EventMetadata, type LifecycleEvent } from '../../src/authority/events.ts'
import { plainOf } from '../../src/authority/registry-snapshot.ts'
import { encodeEvents, randomSalts } from '../../src/event-store/event-codec.ts'
import type { EventStore, StoredEvent } from '../../src/event-store/event-store.ts'
import { exportedLine } from '../../src/event-store/exported-line.ts'
import { chainHash, contentHash, GENESIS_HASH } from '../../src/event-store/hash-chain.ts'
import { createMemoryLog, type MemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { memorySnapshotCache } from '../../src/event-store/snapshot-cache.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { appendCrc, headCrc } from '../../src/event-store/sqlite-checksums.ts'
import { cursorsStream, registryStream } from '../../src/event-store/stream-names.ts'
import type { Shell } from '../../src/shell/shell.ts'
import { openShell } from '../shell/support/open-shell.ts'

const ALICE = { workspace: 'default', owner: 'alice' }
const BOB = { workspace: 'Zürich "West"', owner: "bob's" }
const ALICES = registryStream(ALICE)
const BOBS = registryStream(BOB)
const CURSORS = cursorsStream(ALICE)
const BLIND_SPOT =
  'A chain alone cannot see a tail that was cut off or a log that was rewritten as a whole: keep heads elsewhere and give them back.'

const STORES: readonly [string, () => Promise<EventStore>][] = [
  ['in memory', async () => openMemoryStore()],
  ['in a file', async () => openFile(path.join(directory(), 'log.db'))],
]

describe.each(STORES)('a log %s', (_name, open) => {
  test('that nobody touched has no fault, tells its heads, and folds to what its registries are', async () => {
    const store = await open()
    const live = await fill(store)
    const folded = new Map<string, string>()
    const report = await verifyLog(store, {
      onRegistry: (name, state) => folded.set(registryStream(name), JSON.stringify(plainOf(state))),
    })
    const events = await stored(store)
    expect(report).toEqual({ events: events.length, heads: headsOf(events), faults: [], blindSpot: BLIND_SPOT })
    expect(report.heads.map(({ stream }) => stream)).toEqual(['admin', ALICES, BOBS, CURSORS])
    expect(folded).toEqual(live)
    expect([...folded.keys()]).toEqual([ALICES, BOBS])
  })

  test('that is new holds nothing but its identity', async () => {
    const { events, heads, faults } = await verifyLog(await open())
    expect({ events, streams: heads.map(({ stream, revision }) => [stream, revision]), faults }).toEqual({
      events: 1,
      streams: [['admin', 0]],
      faults: [],
    })
  })

  test('still holds the heads that were kept elsewhere, those from long ago included', async () => {
    const store = await open()
    await fill(store)
    const heads = (await stored(store)).map(({ stream, revision, hash }) => ({ stream, revision, hash }))
    expect((await verifyLog(store, { heads })).faults).toEqual([])
  })

  test('that ends before a kept head is named once, with the lowest head that it does not reach', async () => {
    const store = await open()
    await fill(store)
    const { heads } = await verifyLog(store)
    const last = headOf(heads, BOBS)
    const beyond = (more: number) => ({ ...last, revision: last.revision + more })
    const told: string[] = []
    const report = await verifyLog(store, {
      heads: [...heads, beyond(7), beyond(2), { ...last, stream: 'registry-default/carol', revision: 0 }],
      onRegistry: ({ owner }) => told.push(owner),
    })
    expect(report.faults).toEqual([missing(BOBS, last.revision + 2), { ...missing('registry-default/carol', 0) }])
    expect(report.heads).toEqual(heads)
    expect(told).toEqual(['alice'])
  })

  test('with another event at a kept head is named, also where a second head of that revision fits', async () => {
    const store = await open()
    await fill(store)
    const { heads } = await verifyLog(store)
    const mine = { ...headOf(heads, ALICES), hash: 'ab'.repeat(32) }
    const fault = {
      stream: ALICES,
      revision: mine.revision,
      code: 'head_mismatch',
      message: `the head kept elsewhere has hash ${mine.hash}, the log has ${headOf(heads, ALICES).hash}`,
    }
    expect((await verifyLog(store, { heads: [mine] })).faults).toEqual([fault])
    expect((await verifyLog(store, { heads: [mine, ...heads] })).faults).toEqual([fault])
    expect((await verifyLog(store, { heads: [...heads, mine] })).faults).toEqual([fault])
  })

  const EVENTS: readonly [string, LifecycleEvent, string, (revision: number) => string][] = [
    [
      'a completion of an operation that was never registered',
      { type: 'OperationCompleted', facts: { id: 'ghost', number: 1, sequence: 99 }, content: { result: null } },
      'contradictory_history',
      (revision) =>
        `event ${revision} (OperationCompleted) contradicts the history before it: there is no operation ghost #1`,
    ],
    [
      'a second opening',
      {
        type: 'RegistryOpened',
        facts: { registryId: 'again', limits: DEFAULT_LIMITS },
        content: { digestKey: 'ab'.repeat(32) },
      },
      'contradictory_history',
      (revision) =>
        `event ${revision} (RegistryOpened) contradicts the history before it: the registry is open already`,
    ],
    [
      'an event that its schema refuses',
      { type: 'WaitCancelled', facts: { waitId: 7 as never }, content: {} },
      'invalid_event',
      (revision) =>
        `Stream '${ALICES}' at revision ${revision}: the facts of WaitCancelled are not valid at waitId: ` +
        'Invalid input: expected string, received number.',
    ],
    [
      'an event of the log’s own kind',
      { type: 'CursorMoved', facts: { name: 'mailer', sequence: 1 }, content: {} } as never,
      'unknown_event_type',
      (revision) =>
        `Stream '${ALICES}' at revision ${revision}: the event type 'CursorMoved' is not known to this version.`,
    ],
  ]
  test.each(EVENTS)('whose chain is right but holds %s is named, and the others are judged', async (...named) => {
    const [, event, code, message] = named
    const store = await open()
    await fill(store)
    const before = headOf((await verifyLog(store)).heads, ALICES)
    await append(store, before, [event, { type: 'OwnerRetired', facts: {}, content: { reason: 'done' } }])
    const revision = before.revision + 1
    const told: string[] = []
    const report = await verifyLog(store, { onRegistry: ({ owner }) => told.push(owner) })
    expect(report.faults).toEqual([{ stream: ALICES, revision, code, message: message(revision) }])
    expect(report.heads.map(({ stream }) => stream)).toEqual(['admin', ALICES, BOBS, CURSORS])
    expect(headOf(report.heads, ALICES).revision).toBe(revision)
    expect(told).toEqual([BOB.owner])
  })
})

describe('a forged file is named by code, stream and revision:', () => {
  test('a changed content', async () => {
    const log = await forged((rows) => edited(rows, ALICES, 1, (line) => line.replace('first report', 'forged one!')))
    const content = /,"content":(\{"salt":.*)\}\n/.exec(log.lineAt(ALICES, 1))?.[1] ?? ''
    await expectFaults(log, [
      {
        stream: ALICES,
        revision: 1,
        code: 'content_changed',
        message: `Stream '${ALICES}' at revision 1: the content has the hash ${contentHash(content)}, which its body does not name.`,
      },
    ])
  })

  test('a changed body', async () => {
    const log = await forged((rows) =>
      edited(rows, BOBS, 1, (line) => line.replace('"kind":"import"', '"kind":"export"')),
    )
    const report = await expectPlaces(log, [['chain_broken', BOBS, 1]])
    expect(headOf(report.heads, BOBS)).toEqual({ stream: BOBS, revision: 0, hash: log.hashAt(BOBS, 0) })
  })

  test('a changed body with a hash made to fit, by its successor', async () => {
    await expectPlaces(
      await forged((rows) =>
        edited(rows, BOBS, 1, (line, before) => refit(line.replace('"import"', '"export"'), before)),
      ),
      [['chain_broken', BOBS, 2]],
    )
  })

  test('a removed append', async () => {
    const log = await forged((rows) => rows.filter((row) => !(row.stream === ALICES && row.revision === 3)))
    await expectFaults(log, [
      {
        stream: ALICES,
        revision: 3,
        code: 'revision_gap',
        message: `Stream '${ALICES}' at revision 3: revision 4 stands in its place.`,
      },
    ])
  })

  test('two appends in each other’s place', async () => {
    const swapped = (rows: readonly Row[]) => {
      const [one, other] = rows.filter(
        ({ stream, revision }) => stream === ALICES && (revision === 3 || revision === 4),
      )
      return rows.map((row) => (row === one ? (other ?? row) : row === other ? (one ?? row) : row))
    }
    await expectPlaces(await forged(swapped), [['revision_gap', ALICES, 3]])
  })

  test('a registry that became another’s', async () => {
    const log = await forged((rows) =>
      rows.map((row) => (row.stream === BOBS ? renamed(row, 'registry-default/mallory') : row)),
    )
    await expectPlaces(log, [['chain_broken', 'registry-default/mallory', 0]])
  })

  test('several streams at once, each by its first fault', async () => {
    const log = await forged((rows) => {
      const twice = edited(edited(rows, ALICES, 4, spoilt), ALICES, 2, spoilt)
      return edited(edited(twice, CURSORS, 0, spoilt), BOBS, 0, spoilt)
    })
    const report = await expectPlaces(log, [
      ['chain_broken', ALICES, 2],
      ['chain_broken', BOBS, 0],
      ['chain_broken', CURSORS, 0],
    ])
    expect(report.heads.map(({ stream, revision }) => [stream, revision])).toEqual([
      ['admin', 0],
      [ALICES, 1],
    ])
  })

  test('a head kept elsewhere that stands behind a fault is not judged', async () => {
    const log = await forged((rows) => edited(rows, ALICES, 2, spoilt))
    const { faults } = await verifyLog(log.store, { heads: log.heads })
    expect(faults.map(({ code, stream, revision }) => [code, stream, revision])).toEqual([['chain_broken', ALICES, 2]])
  })

  test('a cut tail only against heads kept elsewhere', async () => {
    const log = await forged((rows) => rows.filter((row) => !(row.stream === ALICES && row.revision > 3)))
    await expectFaults(log, [])
    expect((await verifyLog(log.store, { heads: log.heads })).faults).toEqual([
      missing(ALICES, headOf(log.heads, ALICES).revision),
    ])
  })

  test('a stream rewritten as a whole only against heads kept elsewhere', async () => {
    const log = await forged((rows) => {
      let before = GENESIS_HASH
      return rows.map((row) => {
        if (row.stream !== BOBS) return row
        const lines = row.lines.map((line) => {
          const fitting = refit(line.replace('"import"', '"export"'), before)
          before = hashIn(fitting)
          return fitting
        })
        return { ...row, lines }
      })
    })
    await expectFaults(log, [])
    const { faults } = await verifyLog(log.store, { heads: log.heads })
    expect(faults.map(({ code, stream, revision }) => [code, stream, revision])).toEqual([
      ['head_mismatch', BOBS, headOf(log.heads, BOBS).revision],
    ])
  })

  test('bytes that do not even fit their checksum are an unreadable log', async () => {
    const file = await filledFile()
    const db = new Database(file)
    db.prepare(
      "UPDATE appends SET lines = CAST(replace(CAST(lines AS TEXT), 'first report', 'forged one!') AS BLOB)",
    ).run()
    db.close()
    const store = await openFile(file)
    await expect(verifyLog(store)).rejects.toMatchObject({ name: 'LogError', code: 'log_damaged' })
  })
})

test('a position that does not ascend is named', async () => {
  const log: MemoryLog = createMemoryLog()
  const store = openMemoryStore({ log })
  await fill(store)
  const at = log.all.findIndex(({ stream, revision }) => stream === BOBS && revision === 1)
  const position = log.all[at - 1]?.position ?? 0n
  log.all[at] = { ...log.all[at], position } as StoredEvent
  expect((await verifyLog(store)).faults).toEqual([
    { stream: BOBS, revision: 1, code: 'position_not_ascending', message: `position ${position} follows ${position}` },
  ])
})

/** Two registries at work, by the real shell; the live state of each as it was closed, taken from its snapshot, as text. */
async function fill(store: EventStore): Promise<ReadonlyMap<string, string>> {
  const snapshots = memorySnapshotCache()
  const shell = openShell({ store, snapshots, settings: { snapshotEvents: 1 }, limits: { maxCompleted: 2 } })
  const alice = await running(shell, ALICE, 'r-1', 'report', 'first report')
  await sent(shell, ALICE, { type: 'ReportProgress', id: 'r-1', leaseEpoch: alice, processed: 1, total: 4 })
  await sent(shell, ALICE, { type: 'CompleteOperation', id: 'r-1', leaseEpoch: alice, result: { pages: 12 } })
  const bob = await running(shell, BOB, 'i-1', 'import', 'nightly')
  await sent(shell, BOB, { type: 'StartPhase', id: 'i-1', leaseEpoch: bob, phase: 'fetch' })
  await sent(shell, BOB, { type: 'FailOperation', id: 'i-1', leaseEpoch: bob, error: { message: 'no "rows"\u2028' } })
  for (const id of ['r-2', 'r-3', 'r-4']) {
    const epoch = await running(shell, ALICE, id, 'report', id)
    await sent(shell, ALICE, { type: 'CompleteOperation', id, leaseEpoch: epoch })
  }
  for (const id of ['i-2', 'i-3', 'i-4', 'i-5', 'i-6']) {
    const epoch = await running(shell, BOB, id, 'import', id)
    await sent(shell, BOB, { type: 'ReportProgress', id, leaseEpoch: epoch, message: '"half" of it' })
  }
  await running(shell, ALICE, 'r-5', 'report', 'still at work')
  await sent(shell, ALICE, { type: 'BeginWaitAll', ids: ['r-5'], deadlineAt: Date.UTC(2026, 0, 2) })
  await sent(shell, ALICE, { type: 'RequestCancel', id: 'r-5', reason: 'enough' })
  await sent(shell, BOB, { type: 'TerminateOwner', reason: 'the tenant left' })
  await shell.moveCursor(ALICE, 'mailer', 2)
  await shell.close()
  return new Map([ALICES, BOBS].map((stream) => [stream, snapshots.load(stream)?.state.slice(64) ?? 'no snapshot']))
}

async function running(shell: Shell, owner: typeof ALICE, id: string, kind: string, name: string): Promise<number> {
  const answer = await sent(shell, owner, { type: 'RegisterOperation', id, kind, name, claim: {} })
  return answer.leaseEpoch ?? Number.NaN
}

async function sent(shell: Shell, owner: typeof ALICE, command: Readonly<Record<string, unknown>>) {
  const result = await shell.send(owner, command)
  if (result.type === 'refused') throw new Error(result.rejection.message)
  return result.answer
}

async function stored(store: EventStore): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const event of store.readAll()) events.push(event)
  return events
}

function headsOf(events: readonly StoredEvent[]): readonly VerifiedStream[] {
  const heads = new Map(events.map(({ stream, revision, hash }) => [stream, { stream, revision, hash }]))
  return [...heads.values()]
}

function headOf(heads: readonly VerifiedStream[], stream: string): VerifiedStream {
  const head = heads.find((each) => each.stream === stream)
  if (head === undefined) throw new Error(`no head of ${stream}`)
  return head
}

function missing(stream: string, revision: number): VerifyFault {
  return { stream, revision, code: 'head_missing', message: `${stream} ends before the kept head ${revision}` }
}

async function append(store: EventStore, head: VerifiedStream, events: readonly LifecycleEvent[]): Promise<void> {
  const encoded = encodeEvents({
    stream: head.stream,
    expectedNextRevision: head.revision + 1,
    previousHash: head.hash,
    events: events.map((event) => ({ event, metadata: METADATA })),
    salts: randomSalts(),
  })
  const result = await store.append(head.stream, head.revision, encoded)
  if (result.type !== 'acknowledged') throw new Error(`the append was ${result.type}`)
}

const METADATA: EventMetadata = {
  commandId: 'c-forged',
  commandType: 'CompleteOperation',
  commandDigest: '00112233445566778899aabbccddeeff',
  index: 0,
  count: 1,
  at: Date.UTC(2026, 0, 1),
  actor: 'mallory',
  ruleset: 1,
}

/** A row of the file's table `appends`: what a forger has before him. `revision` is that of its last line. */
interface Row {
  readonly stream: string
  readonly revision: number
  readonly lines: readonly string[]
}

interface ForgedLog {
  readonly store: EventStore
  /** Kept before the forgery. */
  readonly heads: readonly VerifiedStream[]
  lineAt(stream: string, revision: number): string
  hashAt(stream: string, revision: number): string
}

/** A copy of a filled log, changed by somebody who knows the file and fits every checksum, position and head to the change. */
async function forged(forge: (rows: readonly Row[]) => readonly Row[]): Promise<ForgedLog> {
  const file = await filledFile()
  const original = await openFile(file)
  const { heads, faults } = await verifyLog(original)
  expect(faults).toEqual([])
  await original.close()
  const copy = path.join(directory(), 'forged.db')
  copyFileSync(file, copy)
  const rows = rewrite(copy, forge)
  const lineAt = (stream: string, revision: number) => {
    const row = rows.find((each) => each.stream === stream && firstOf(each) <= revision && revision <= each.revision)
    return row?.lines[revision - firstOf(row)] ?? ''
  }
  return { store: await openFile(copy), heads, lineAt, hashAt: (stream, at) => hashIn(lineAt(stream, at)) }
}

function rewrite(file: string, forge: (rows: readonly Row[]) => readonly Row[]): readonly Row[] {
  const db = new Database(file)
  const read = db
    .prepare<[], { name: string; revision: number; lines: Buffer }>(
      'SELECT s.name, a.revision, a.lines FROM appends a JOIN streams s ON s.id = a.stream ORDER BY a.position',
    )
    .all()
  const rows = forge(
    read.map(({ name, revision, lines }) => ({ stream: name, revision, lines: lines.toString().split(/(?<=\n)/) })),
  )
  db.exec('DELETE FROM appends; DELETE FROM streams; DELETE FROM marks')
  const streams = new Map<string, { id: number; position: number }>()
  let position = 0
  for (const { stream, revision, lines } of rows) {
    const { id, position: previous } = streams.get(stream) ?? { id: streams.size + 1, position: 0 }
    position += lines.length
    streams.set(stream, { id, position })
    const bytes = Buffer.from(lines.join(''))
    const crc = appendCrc(BigInt(position), id, revision, lines.length, BigInt(previous), bytes)
    db.prepare('INSERT INTO appends VALUES (?, ?, ?, ?, ?, ?, ?)').run(
      position,
      id,
      revision,
      lines.length,
      previous,
      crc,
      bytes,
    )
    const hash = hashIn(lines.at(-1) ?? '')
    db.prepare('INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?, ?, ?)').run(
      id,
      stream,
      revision,
      position,
      hash,
      headCrc(stream, revision, BigInt(position), hash),
    )
  }
  db.close()
  return rows
}

function edited(
  rows: readonly Row[],
  stream: string,
  revision: number,
  edit: (line: string, before: string) => string,
): readonly Row[] {
  let before = GENESIS_HASH
  return rows.map((row) => {
    if (row.stream !== stream) return row
    const lines = row.lines.map((line, index) => {
      const after = firstOf(row) + index === revision ? edit(line, before) : line
      if (after === line && firstOf(row) + index === revision) throw new Error(`nothing was edited in ${line}`)
      before = hashIn(line)
      return after
    })
    return { ...row, lines }
  })
}

/** The line as it stands in its chain, with a hash that fits its body. */
function refit(line: string, before: string): string {
  const boundary = line.indexOf(',"content":{"salt":"')
  const body = line.slice(82, boundary)
  const hash = chainHash(before, body)
  return exportedLine({ hash, body, content: line.slice(boundary + ',"content":'.length, -2) })
}

function renamed(row: Row, stream: string): Row {
  const named = `{"stream":${JSON.stringify(row.stream)}`
  return { ...row, stream, lines: row.lines.map((line) => line.replace(named, `{"stream":${JSON.stringify(stream)}`)) }
}

function spoilt(line: string): string {
  return line.replace('"ruleset":1', '"ruleset":2')
}

function firstOf({ revision, lines }: Row): number {
  return revision - lines.length + 1
}

function hashIn(line: string): string {
  return line.slice(9, 73)
}

async function expectFaults({ store }: ForgedLog, faults: readonly VerifyFault[]): Promise<void> {
  expect((await verifyLog(store)).faults).toEqual(faults)
}

/** The report, after its faults were found to be these, and all registries without one to be told. */
async function expectPlaces(
  { store }: ForgedLog,
  places: readonly (readonly [code: string, stream: string, revision: number])[],
): Promise<VerifyReport> {
  const told: string[] = []
  const report = await verifyLog(store, { onRegistry: (name) => told.push(registryStream(name)) })
  expect(report.faults.map(({ code, stream, revision }) => [code, stream, revision])).toEqual(places)
  const streams = new Set((await stored(store)).map(({ stream }) => stream))
  const sound = [...streams].filter((each) => each.startsWith('registry-') && !places.some(([, at]) => at === each))
  expect(told).toEqual(sound)
  return report
}

async function filledFile(): Promise<string> {
  const file = path.join(directory(), 'log.db')
  const store = await openFile(file)
  await fill(store)
  await store.close()
  return file
}

async function openFile(file: string): Promise<EventStore> {
  const store = await openSqliteStore({ path: file })
  onTestFinished(() => store.close())
  return store
}

function directory(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
