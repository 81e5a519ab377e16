/**
 * What monitors ask of an index of 1,000,000 operations: the system views, every sort, filters alone and together, further pages,
 * facets and counts. Each question is asked with other owners, kinds and times from one repetition to the next, on a connection
 * like that of the thread of questions.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { facetsAsked } from '../projections/operation-facets.ts'
import { OPERATION_INDEX } from '../projections/operation-index.ts'
import { countAsked, listAsked } from '../projections/operation-questions.ts'
import { ReadModels } from '../projections/read-models.ts'
import type { ReadSession } from '../projections/read-session.ts'
import { OPERATION_SORTS, type OperationSort } from '../src/authority/monitoring.ts'
import type { OperationFilter } from '../src/authority/monitoring-filters.ts'
import { buildIndexOfOperations, INDEX_NOW, KINDS, OWNERS } from './index-of-operations.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const OPERATIONS = Number(process.env.BENCH_OPERATIONS ?? 1_000_000)
const REPETITIONS = 100
const FOLLOWING_PAGES = 3
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export async function queries(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-queries-'))
  try {
    const file = join(directory, 'views.db')
    buildIndexOfOperations(file, OPERATIONS)
    return { name: 'queries', machine: machineFacts(), rows: measured(file) }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Each question so often, on one connection: what others on the machine take is not counted. */
function measured(file: string): readonly BenchRow[] {
  const models = new ReadModels(file)
  try {
    return Object.entries(cases()).map(([name, ask]) => {
      const taken: number[] = []
      for (let i = 0; i <= REPETITIONS; i++) {
        const before = process.cpuUsage()
        models.ask(OPERATION_INDEX.name, (session) => ask(session, i))
        const { user, system } = process.cpuUsage(before)
        taken.push((user + system) / 1_000)
      }
      // Whoever is first has its statements prepared.
      const sorted = taken.slice(1).toSorted((one, other) => one - other)
      const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)]
      return { case: name, value: taken[0] ?? 0, unit: 'CPU ms at first', p50, p99 }
    })
  } finally {
    models.close()
  }
}

type Ask = (session: ReadSession, i: number) => void

function cases(): Readonly<Record<string, Ask>> {
  const found: Record<string, Ask> = {}
  for (const [name, { filter, sorts }] of Object.entries(VIEWS)) {
    for (const sort of sorts) {
      found[`list ${name}, ${sort}`] = (session, i) => listAsked(session, { ...MOMENT, filter: filter(i), sort })
      found[`next pages ${name}, ${sort}`] = (session, i) => following(session, filter(i), sort)
    }
    found[`facets ${name}`] = (session, i) => facetsAsked(session, { ...MOMENT, filter: filter(i) })
    found[`count ${name}`] = (session, i) => countAsked(session, { ...MOMENT, filter: filter(i) })
  }
  return found
}

function following(session: ReadSession, filter: OperationFilter, sort: OperationSort): void {
  let pageToken: string | undefined
  for (let page = 0; page < FOLLOWING_PAGES; page++) {
    pageToken = listAsked(session, { ...MOMENT, filter, sort, pageToken }).nextPageToken
    if (pageToken === undefined) return
  }
}

const MOMENT = { now: INDEX_NOW, unheard: [] }

interface View {
  readonly filter: (i: number) => OperationFilter
  readonly sorts: readonly OperationSort[]
}

const NEWEST = ['newest_activity'] as const
const owner = (i: number) => `owner-${(i * 7) % OWNERS}`
const kind = (i: number) => `kind-${(i * 7) % KINDS}`
/** Days ago, from the newest to the oldest. */
const daysAgo = (i: number) => INDEX_NOW - (((i * 13) % 90) + 1) * DAY_MS

const VIEWS: Readonly<Record<string, View>> = {
  all: { filter: () => ({}), sorts: OPERATION_SORTS },
  'Needs attention': { filter: () => ({ attention: true }), sorts: OPERATION_SORTS },
  Running: { filter: () => ({ active: true }), sorts: OPERATION_SORTS },
  'Failed 24 h': { filter: () => ({ statuses: ['failed'], ended: { from: INDEX_NOW - DAY_MS } }), sorts: NEWEST },
  'Reconciled 7 d': { filter: () => ({ reconciled: true, ended: { from: INDEX_NOW - 7 * DAY_MS } }), sorts: NEWEST },
  'failed, some old day': {
    filter: (i) => ({ statuses: ['failed'], ended: { from: daysAgo(i), until: daysAgo(i) + DAY_MS } }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'failed until some day': {
    filter: (i) => ({ statuses: ['failed'], ended: { until: daysAgo(i) } }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'one owner': { filter: (i) => ({ owners: [owner(i)] }), sorts: OPERATION_SORTS },
  'one owner, failed': { filter: (i) => ({ owners: [owner(i)], statuses: ['failed'] }), sorts: NEWEST },
  'one owner, one kind': { filter: (i) => ({ owners: [owner(i)], kinds: [kind(i)] }), sorts: OPERATION_SORTS },
  'one kind': { filter: (i) => ({ kinds: [kind(i)] }), sorts: OPERATION_SORTS },
  'one kind, completed': {
    filter: (i) => ({ kinds: [kind(i)], statuses: ['completed'] }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'one kind, one reason': {
    filter: (i) => ({ kinds: [kind(i)], reasonCodes: ['run.stale_running'] }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'one workspace': { filter: () => ({ workspaces: ['research'] }), sorts: OPERATION_SORTS },
  'one workspace, failed': { filter: () => ({ workspaces: ['research'], statuses: ['failed'] }), sorts: NEWEST },
  'one label': { filter: (i) => ({ labels: { team: `team-${i % 8}` } }), sorts: OPERATION_SORTS },
  'two labels, failed': {
    filter: (i) => ({ labels: { team: `team-${i % 8}`, region: `region-${i % 3}` }, statuses: ['failed'] }),
    sorts: NEWEST,
  },
  'a text of many': { filter: () => ({ text: 'report' }), sorts: NEWEST },
  'a text of few': { filter: (i) => ({ text: `report ${i * 400}` }), sorts: NEWEST },
  'a key': { filter: (i) => ({ key: `key-${i}` }), sorts: NEWEST },
  contradicted: { filter: () => ({ contradicted: true }), sorts: NEWEST },
  'follow-up': {
    filter: () => ({ problemClasses: ['terminal_follow_up'] }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'fresh or late': { filter: () => ({ freshness: ['fresh', 'late'] }), sorts: OPERATION_SORTS },
  'activity of one day': {
    filter: (i) => ({ activity: { from: daysAgo(i), until: daysAgo(i) + DAY_MS } }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
  'registered on one day, one workspace': {
    filter: (i) => ({ registered: { from: daysAgo(i), until: daysAgo(i) + DAY_MS }, workspaces: ['default'] }),
    sorts: ['newest_activity', 'oldest_in_status'],
  },
}
