/** Random or given histories, projected into a real file, and the questions asked of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ProjectedEvent, Projection } from '../../../projections/projection.ts'
import { Projector } from '../../../projections/projector.ts'
import { openReadDatabase, type ReadDatabase } from '../../../projections/read-database.ts'
import { ReadModels } from '../../../projections/read-models.ts'
import type { ReadSession } from '../../../projections/read-session.ts'
import type { RecordedEvent } from '../../../src/authority/events.ts'

export interface Followed extends Disposable {
  /** Follows on. */
  project(events: readonly ProjectedEvent[]): void
  ask<T>(question: (session: ReadSession) => T): T
  readonly database: ReadDatabase
  readonly projector: Projector
}

/** A projection over a file of its own; `batch` events at a time, the rows read from the file again after each batch. */
export function followed(projection: Projection, { batch = 100, keptRowsMax = 2 } = {}): Followed {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-views-'))
  const file = path.join(folder, 'views.db')
  const database = openReadDatabase(file)
  const start = { logId: 'log', timeline: 1, position: 0n, hash: '' }
  const generation = database.begin(projection, 'serving', start, 1)
  const projector = new Projector({ database, projection, generation, onPoison: 'stop', keptRowsMax })
  const models = new ReadModels(file)
  return {
    project(events) {
      for (let i = 0; i < events.length; i += batch) {
        const items = events.slice(i, i + batch).map((event) => ({ type: 'event', event }) as const)
        const position = items.at(-1)?.event.position ?? 0n
        projector.project(items, { ...start, position, hash: `h${position}` }, 1)
      }
    },
    database,
    projector,
    ask: (question) => models.ask(projection.name, question).answer,
    [Symbol.dispose]() {
      models.close()
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

/** The events of one registry's history, at positions behind each other; `owner` names the registry. */
export function projected(history: readonly RecordedEvent[], owner = 'a', behind = 0): readonly ProjectedEvent[] {
  return history.map(({ event, metadata, revision }, i) => ({
    position: BigInt(behind + i + 1),
    stream: `registry-default/${owner}`,
    workspace: 'default',
    owner,
    revision,
    event,
    metadata,
  }))
}
