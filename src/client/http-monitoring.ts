/** The questions of monitors, asked of a server: filters as query strings write them, positions back from text. */
import type {
  AsOf,
  FilterQuestion,
  OperationStory,
  OperationsQuestion,
  OwnersQuestion,
  StoryQuestion,
} from '../authority/monitoring.ts'
import type { HistoryEntry, Refusable } from '../authority/questions.ts'
import type { Questions } from './http-questions.ts'
import { pathOf, type QueryValue } from './http-transport.ts'
import type { MonitoringDoor } from './monitoring-door.ts'

type Query = Readonly<Record<string, QueryValue>>

const RANGES: ReadonlySet<string> = new Set(['registered', 'started', 'ended', 'activity'])

export function httpMonitoring(questions: Questions): MonitoringDoor {
  return {
    operations: (question, signal) => ask('/v1/operations', queryOf(question), signal),
    count: (question, signal) => ask('/v1/operations:count', queryOf(question), signal),
    facets: (question, signal) => ask('/v1/operations:facets', queryOf(question), signal),
    owners: (question, signal) => ask('/v1/owners', queryOf(question), signal),
    rates: (question, signal) => ask('/v1/rates', flat({ ...question }), signal),
    story,
  }

  async function story(
    { workspace, owner, id, ...asked }: StoryQuestion,
    signal?: AbortSignal,
  ): Promise<Refusable<OperationStory | undefined>> {
    const path = pathOf`/v1/workspaces/${workspace}/owners/${owner}/operations/${id}/story`
    const told = await ask<OperationStory>(path, flat(asked), signal)
    if (told.type === 'refused') {
      return told.rejection.code === 'not_found' ? { type: 'answered', answer: undefined } : told
    }
    return { type: 'answered', answer: { ...told.answer, entries: told.answer.entries.map(entryFromWire) } }
  }

  async function ask<T extends AsOf>(path: string, query: Query, signal?: AbortSignal): Promise<Refusable<T>> {
    const told = await questions.ask({ method: 'GET', path, query }, signal)
    // Newer servers may refuse with codes that this client does not know.
    if (told.type === 'refused') return told as Extract<Refusable<T>, { readonly type: 'refused' }>
    const body = told.body as Omit<T, 'position'> & { readonly position: string } // as it is described
    return { type: 'answered', answer: { ...body, position: BigInt(body.position) } as unknown as T } // the same, but for that
  }
}

function queryOf({ filter = {}, ...asked }: OperationsQuestion | FilterQuestion | OwnersQuestion): Query {
  return { ...flat(filter), ...flat(asked) }
}

/** Ranges by two names, labels as name=value, all else as it is. */
function flat(asked: object): Query {
  const query: Record<string, QueryValue> = {}
  for (const [name, value] of Object.entries(asked)) {
    if (value === undefined) continue
    if (RANGES.has(name)) {
      query[`${name}From`] = value.from
      query[`${name}Until`] = value.until
    } else if (name === 'labels') {
      query.label = Object.entries(value).map(([label, of]) => `${label}=${of}`)
    } else query[name] = value
  }
  return query
}

/** As the server told it: the members of its event beside the others. */
function entryFromWire(entry: unknown): HistoryEntry {
  const { revision, position, metadata, ...event } = entry as {
    readonly revision: number
    readonly position: string
  } & {
    readonly metadata: HistoryEntry['metadata']
  }
  return { revision, position: BigInt(position), event, metadata } as unknown as HistoryEntry // known ones are as they were stored
}
