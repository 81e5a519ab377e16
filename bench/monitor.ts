/**
 * The page in a browser, over an index of 1,000,000 operations: from the request for the page to the first row on the screen, and how
 * much of that the server took for its answer. Each time in a context of its own, which has nothing cached; the server runs in
 * this process, over a log in a file whose index was filled beforehand. The floor is a page of one line from the same server.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { openNode } from '../src/app.ts'
import { HandMovedClock } from '../src/runtime/hand-moved-clock.ts'
import { serveVerdict } from '../src/serve.ts'
import { buildIndexOfOperations, INDEX_NOW } from './index-of-operations.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const OPERATIONS = Number(process.env.BENCH_OPERATIONS ?? 1_000_000)
const REPETITIONS = Number(process.env.BENCH_REPETITIONS ?? 25)
const CHROMIUM = '/usr/bin/chromium'

const VIEWS: Readonly<Record<string, string>> = {
  All: '/',
  'Needs attention': '/?attention=true&sort=most_overdue',
  Running: '/?active=true',
  'Failed 24 h': '/?statuses=failed&ended=24h',
  'Reconciled 7 d': '/?reconciled=true&ended=7d',
  'one kind, longest running': '/?kinds=kind-3&sort=longest_running',
  'a text of many': '/?text=report',
}

export async function monitor(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-monitor-'))
  const location = join(directory, 'verdict.db')
  const settings = { logLevel: 'silent' as const }
  try {
    await filled(location)
    const server = await serveVerdict(location, {
      port: 0,
      settings,
      clock: new HandMovedClock(INDEX_NOW),
      reconciler: false,
    })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
    try {
      const [floor = 0] = await nothingShown(browser, `${server.url}/livez`)
      const rows: BenchRow[] = []
      for (const [name, address] of Object.entries(VIEWS)) {
        rows.push(...(await shown(browser, name, server.url + address, floor)))
      }
      return { name: 'monitor', machine: { ...machineFacts(), browser: `chromium ${browser.version()}` }, rows }
    } finally {
      await browser.close()
      await server.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A log with next to nothing in it, and beside it the index of a busy one, which stands where this log ends. */
async function filled(location: string): Promise<void> {
  const { door, store } = await openNode(location, { readModels: { follow: 'never' } })
  try {
    await door.send({ workspace: 'default', owner: 'bench' }, { type: 'OpenRegistry', limits: {} })
    const position = await store.end()
    const last = await store.at(position)
    if (last === undefined) throw new Error(`the log has nothing at its end, ${position}`)
    buildIndexOfOperations(`${location}-views`, OPERATIONS, { ...(await store.identity()), position, hash: last.hash })
  } finally {
    await door.close()
  }
}

async function shown(browser: Browser, name: string, url: string, floor: number): Promise<readonly BenchRow[]> {
  const first: number[] = []
  const answered: number[] = []
  for (let i = 0; i <= REPETITIONS; i++) {
    const { shownMs, answeredMs } = await told<{ shownMs: number; answeredMs: number }>(browser, url, TOLD)
    first.push(shownMs)
    answered.push(answeredMs)
  }
  return [row(`${name}: first row on the screen`, first, floor), row(`${name}: of that the answer`, answered)]
}

async function nothingShown(browser: Browser, url: string): Promise<readonly number[]> {
  const taken: number[] = []
  for (let i = 0; i < REPETITIONS; i++) taken.push(await told<number>(browser, url, NEXT_FRAME))
  return taken.toSorted((one, other) => one - other)
}

/** What `program` answers on a page at `url`, in a context of its own. */
async function told<T>(browser: Browser, url: string, program: string): Promise<T> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  try {
    const page = await context.newPage()
    await page.addInitScript(WATCH)
    await page.goto(url)
    return (await page.evaluate(program)) as T // as the program has it
  } finally {
    await context.close()
  }
}

const NEXT_FRAME = 'new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())))'

/** When the frame with the first row was about to be painted, ms after navigation began. */
const WATCH = `new MutationObserver((_, observer) => {
  if (document.querySelector('.row, .empty h2') === null) return
  observer.disconnect()
  requestAnimationFrame(() => { window.shownAt = performance.now() })
}).observe(document, { childList: true, subtree: true })`

const TOLD = `new Promise((resolve) => {
  const look = () => {
    if (window.shownAt === undefined) return requestAnimationFrame(look)
    const [asked] = performance.getEntriesByType('resource').filter(({ name }) => name.includes('/v1/operations?'))
    resolve({ shownMs: window.shownAt, answeredMs: asked.responseEnd - asked.requestStart })
  }
  look()
})`

function row(name: string, taken: readonly number[], floor?: number): BenchRow {
  // Whoever is first has the program and its threads started.
  const sorted = taken.slice(1).toSorted((one, other) => one - other)
  const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)]
  // The fastest says most about the product where others are busy on the same machine.
  const best = sorted[0] ?? 0
  const ratio = floor === undefined ? {} : { floor, ratio: floor / best }
  return { case: name, value: best, unit: 'ms at best', p50, p99, ...ratio }
}
