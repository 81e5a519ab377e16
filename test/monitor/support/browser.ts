/** A browser for a test file, and pages of a server in it: each test has a context of its own, each page tells what went wrong in it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, expect, onTestFinished, vi } from 'vitest'

const CHROMIUM = '/usr/bin/chromium'
/** For whatever a page is to show. Nothing depends on how fast it does. */
export const PATIENCE_MS = 30_000

// A whole test may wait for several such things.
vi.setConfig({ testTimeout: 4 * PATIENCE_MS, hookTimeout: 4 * PATIENCE_MS })

let launched: Promise<Browser> | undefined

/** The browser of this file, begun when it is first needed. */
export function browser(): Promise<Browser> {
  launched ??= chromium.launch({
    executablePath: CHROMIUM,
    // CI runs as root, and machines of tests have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  })
  return launched
}

afterAll(async () => {
  await (await launched)?.close()
  launched = undefined
})

export interface OpenedPage extends Page {
  /** Errors that were thrown in the page, and what its policy refused. */
  readonly faults: readonly string[]
}

/** A page at `url`, alone in its context; closed when the test is over, which fails if anything was thrown or refused in it. */
export async function opened(url: string, options: BrowserContextOptions = {}): Promise<OpenedPage> {
  const context = await (await browser()).newContext({ viewport: { width: 1440, height: 900 }, ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (/Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text())
  })
  page.on('dialog', (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  onTestFinished(async () => {
    await context.close()
    expect(faults).toEqual([])
  })
  await page.goto(url)
  return Object.assign(page, { faults })
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** What axe finds wrong with the page as it stands (WCAG 2.2 AA): one line for each place. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  // By the debugger, which the policy of the page does not concern.
  await page.evaluate(AXE)
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) => violations.flatMap(({ id, help, nodes }) =>
       nodes.map(({ html, failureSummary }) => id + ' (' + help + '): ' + html + ' ' + failureSummary)))`,
  )) as readonly string[] // as written one line above
  return found
}

/** Zero violations, in the light and in the dark. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    expect({ colorScheme, violations: await violationsOf(page) }).toEqual({ colorScheme, violations: [] })
  }
}
