/**
 * A living load: services of several owners over HTTP, each as it would be written, with what goes wrong in the world: errors,
 * cancels, workers that hang, fall silent together, or come back with a word too late.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, Verdict } from '../../src/index.ts'
import type { Chance } from './chance.ts'

const TOOLS = ['search_web', 'read_file', 'run_tests', 'query_database'] as const
const TABLES = ['Orders', 'Invoices', 'Customers', 'Shipments'] as const
const GOALS = ['Summarise the week', 'Triage new issues', 'Draft the release notes'] as const
const SILENT_TOGETHER = 6

export interface LoadParts {
  readonly verdict: Verdict
  readonly chance: Chance
  readonly signal: AbortSignal
}

/** Goes on until the signal aborts. */
export function beginLoad(parts: LoadParts): void {
  const { verdict, chance, signal } = parts
  const every = (ms: number, what: () => Promise<unknown>) => void repeated(ms, what, parts)
  every(2_500, () => toolCall(parts))
  every(4_000, () => sync(parts))
  every(7_000, () => exported(parts))
  every(12_000, () => agent(parts))
  every(11_000, () => queuedReport(parts))
  every(40_000, () => hangingImport(parts))
  every(45_000, () => lateWorker(parts))
  void once(12_000, () => silentTogether(parts), signal)
  void once(0, () => longExport(verdict, chance), signal)
}

async function repeated(ms: number, what: () => Promise<unknown>, { chance, signal }: LoadParts): Promise<void> {
  while (!signal.aborted) {
    // What is refused because the demo ends, or because a person interfered, is part of it.
    void what().catch(() => {})
    await pause(ms * chance.between(0.7, 1.3), signal)
  }
}

async function once(ms: number, what: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  await pause(ms, signal)
  if (!signal.aborted) await what().catch(() => {})
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {}) // aborted is over
}

async function toolCall({ verdict, chance }: LoadParts): Promise<void> {
  const ms = chance.between(200, 2_500)
  const isRefused = chance.happens(0.08)
  await verdict.start('tool_call', { owner: 'research', name: chance.among(TOOLS) }, async ({ signal }) => {
    await sleep(ms, undefined, { signal })
    if (isRefused) throw new Error('the tool answered 429: too many requests')
    return { tokens: Math.round(ms) }
  })
}

async function sync({ verdict, chance }: LoadParts): Promise<void> {
  const total = chance.whole(4, 9)
  const breaksAt = chance.happens(0.12) ? chance.whole(1, total) : undefined
  const labels = { team: 'crm', region: chance.among(['eu', 'us']) }
  await verdict.start('sync', { owner: 'globex', name: 'Contacts', labels }, async ({ signal, progress }) => {
    for (let i = 1; i <= total; i++) {
      await sleep(700, undefined, { signal })
      if (i === breaksAt) throw new Error(`page ${i}: the connection was reset`)
      progress({ processed: i, total, message: `page ${i} of ${total}` })
    }
    return { pages: total }
  })
}

async function exported({ verdict, chance }: LoadParts): Promise<void> {
  const name = chance.among(TABLES)
  const rows = chance.whole(30, 90)
  await verdict.start('export', { owner: 'acme', name, labels: { team: 'billing' } }, (attempt) =>
    exporting(attempt, rows, 150),
  )
}

/** One that is there for whoever opens the page a minute later. */
async function longExport(verdict: Verdict, chance: Chance): Promise<void> {
  const labels = { team: 'finance' }
  await verdict.start('export', { owner: 'acme', name: 'Ledger 2026', labels }, (attempt) =>
    exporting(attempt, chance.whole(900, 1_000), 400),
  )
}

async function exporting({ signal, phase, progress }: Attempt<unknown>, total: number, msPerRow: number) {
  await phase('read', () => sleep(1_500, undefined, { signal }))
  await phase('transform', async () => {
    for (let row = 1; row <= total; row++) {
      await sleep(msPerRow, undefined, { signal })
      progress({ processed: row, total })
    }
  })
  await phase('write', () => sleep(1_000, undefined, { signal }))
  return { rows: total }
}

/** Some are asked to stop while they act, and do. */
async function agent({ verdict, chance, signal: over }: LoadParts): Promise<void> {
  const isUnwanted = chance.happens(0.3)
  const acts = chance.whole(4, 14)
  const handle = await verdict.start(
    'agent',
    { workspace: 'lab', owner: 'research', name: chance.among(GOALS) },
    async ({ signal, phase, progress }) => {
      await phase('plan', () => sleep(2_000, undefined, { signal }))
      await phase('act', async () => {
        for (let act = 1; act <= acts; act++) {
          progress({ message: `${chance.among(TOOLS)}, step ${act}` })
          await sleep(2_500, undefined, { signal })
        }
      })
      return phase('review', () => sleep(2_000, { acts }, { signal }))
    },
  )
  if (!isUnwanted) return
  await pause(9_000, over)
  await handle.cancel({ reason: 'The customer changed the question' })
}

/** Waits in a queue before somebody takes it. */
async function queuedReport({ verdict, chance, signal }: LoadParts): Promise<void> {
  const owner = chance.among(['acme', 'globex'])
  const handle = await verdict.register('report', { owner, name: 'Monthly report', source: 'queue' })
  await pause(chance.between(1_000, 9_000), signal)
  const address = { owner, id: handle.id }
  await verdict.resume(address, {}, ({ signal: stop }) => sleep(3_000, { pages: 12 }, { signal: stop }))
}

/** Its heart beats, and nothing moves: its worker is stuck, and is told so. */
async function hangingImport({ verdict }: LoadParts): Promise<void> {
  await verdict.start('import', { owner: 'globex', name: 'Catalogue' }, async ({ signal, progress }) => {
    for (let row = 1; row <= 5; row++) {
      progress({ processed: row, total: 4_000, message: 'waiting for a lock' })
      await sleep(500, undefined, { signal })
    }
    await sleep(3_600_000, undefined, { signal })
  })
}

/** Falls silent, is given up, and says in the end that it was done after all: refused, and on record. */
async function lateWorker({ verdict, signal }: LoadParts): Promise<void> {
  const handle = await verdict.register('sync', { owner: 'initech', name: 'Timesheets' })
  using lease = await verdict.claim({ owner: 'initech', id: handle.id })
  await lease.progress({ processed: 3, total: 12 })
  await handle.outcome({ signal })
  await pause(2_000, signal)
  await lease.complete({ rows: 12 })
}

/** Many at once, as when a network breaks: the breaker holds, and waits for a person. */
async function silentTogether({ verdict }: LoadParts): Promise<void> {
  for (let i = 1; i <= SILENT_TOGETHER; i++) {
    const handle = await verdict.register('crawl', { owner: 'initech', name: `Site ${i} of ${SILENT_TOGETHER}` })
    using lease = await verdict.claim({ owner: 'initech', id: handle.id })
    await lease.progress({ processed: i * 40, total: 900 })
  }
}
