/** What a dead server left, looked at in a copy: opening a log mends it, and the next start is to meet it as it is. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { LIVENESS } from '../../../projections/liveness.ts'
import { OPERATION_HISTORY } from '../../../projections/operation-history.ts'
import { OPERATION_INDEX } from '../../../projections/operation-index.ts'
import type { Projection } from '../../../projections/projection.ts'
import { RATES } from '../../../projections/rates.ts'
import { openReadDatabase } from '../../../projections/read-database.ts'
import { REGISTRIES } from '../../../projections/registries.ts'
import { type VerifiedStream, verifyLog } from '../../../src/audit/verify.ts'
import { settingsOf } from '../../../src/config.ts'
import { decodeEvent } from '../../../src/event-store/event-codec.ts'
import type { EventReader } from '../../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../../src/event-store/sqlite.ts'
import { registryOfStream } from '../../../src/event-store/stream-names.ts'
import { SYSTEM_CLOCK } from '../../../src/runtime/clock.ts'
import { check } from '../../../src/subscriptions/check.ts'
import { Teller } from '../../nodes/support/log-story.ts'

const PROJECTIONS: readonly Projection[] = [OPERATION_INDEX, OPERATION_HISTORY, LIVENESS, REGISTRIES, RATES]

export interface LeftLog {
  readonly faults: readonly string[]
  readonly heads: readonly VerifiedStream[]
  readonly stories: ReadonlyMap<string, Teller>
  /** Positions of each owner's events, by revision. */
  readonly places: ReadonlyMap<string, readonly bigint[]>
  /** Types of the events of registries by their positions. */
  readonly types: ReadonlyMap<bigint, string>
  /** Read models whose rows were compared. */
  readonly compared: number
}

export interface LookOptions {
  /** As they were when it was looked at before: all of them must be there still. */
  readonly heads: readonly VerifiedStream[]
  /** The rows must have caught up; otherwise they may lie behind, and are what the log gives up to where they are. */
  readonly isCaughtUp: boolean
}

/** Undefined where no log was begun. Throws where it can't be opened: it was never damaged. */
export async function lookAtCopy(folder: string, options: LookOptions): Promise<LeftLog | undefined> {
  if (!existsSync(path.join(folder, 'verdict.db'))) return undefined
  const copy = mkdtempSync(path.join(tmpdir(), 'verdict-left-'))
  try {
    for (const suffix of ['', '-wal', '-views', '-views-wal']) {
      const file = path.join(folder, `verdict.db${suffix}`)
      if (existsSync(file)) copyFileSync(file, path.join(copy, `verdict.db${suffix}`))
    }
    return await looked(path.join(copy, 'verdict.db'), options)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function looked(file: string, { heads, isCaughtUp }: LookOptions): Promise<LeftLog> {
  const store = await openSqliteStore({ path: file })
  try {
    const report = await verifyLog(store, { heads })
    const faults = report.faults.map(({ stream, revision, message }) => `${stream} @${revision}: ${message}`)
    const stories = new Map<string, Teller>()
    const places = new Map<string, bigint[]>()
    const types = new Map<bigint, string>()
    for await (const stored of store.readAll()) {
      const name = registryOfStream(stored.stream)
      if (name === undefined) continue
      const story = stories.get(name.owner) ?? new Teller(name.owner)
      stories.set(name.owner, story)
      story.take(decodeEvent(stored))
      const ofOwner = places.get(name.owner) ?? []
      ofOwner.push(stored.position)
      places.set(name.owner, ofOwner)
      types.set(stored.position, stored.type)
    }
    for (const story of stories.values()) faults.push(...story.faults)
    const rows = await rowFaults(`${file}-views`, store, isCaughtUp)
    return { ...rows, faults: [...faults, ...rows.faults], heads: report.heads, stories, places, types }
  } finally {
    await store.close()
  }
}

async function rowFaults(file: string, log: EventReader, isCaughtUp: boolean) {
  const faults: string[] = []
  let compared = 0
  if (!existsSync(file)) return { faults: isCaughtUp ? ['there are no read models'] : [], compared }
  const database = openReadDatabase(file)
  try {
    const { logId } = await log.identity()
    const end = await log.end()
    for (const projection of PROJECTIONS) {
      const serving = database
        .generations(projection.name)
        .find(({ standing, version }) => standing === 'serving' && version === projection.version)
      if (serving === undefined || serving.checkpoint.logId !== logId) {
        if (isCaughtUp) faults.push(`${projection.name} has no rows`)
        continue
      }
      const { position } = serving.checkpoint
      if (position > end) faults.push(`${projection.name} knows ${position}, the log ends at ${end}`)
      if (position < end && isCaughtUp) faults.push(`${projection.name} stands at ${position}, the log ends at ${end}`)
      if (position > end) continue
      const report = await check({
        database,
        // Rows that don't move are not waited for.
        reader: upTo(log, position),
        projection,
        sample: undefined,
        settings: settingsOf(),
        clock: SYSTEM_CLOCK,
        random: Math.random,
        signal: new AbortController().signal,
        onProgress: () => {},
      })
      compared++
      for (const difference of report.differences)
        faults.push(`${projection.name} at ${position}: ${JSON.stringify(difference, asText)}`)
      for (const stream of report.parked) faults.push(`${projection.name} has parked ${stream}`)
    }
  } finally {
    database.close()
  }
  return { faults, compared }
}

function upTo(log: EventReader, position: bigint): Pick<EventReader, 'identity' | 'end' | 'readAll' | 'readStream'> {
  return {
    identity: () => log.identity(),
    end: () => Promise.resolve(position),
    readStream: (stream, options) => log.readStream(stream, options),
    readAll: (options) => log.readAll(options),
  }
}

function asText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
