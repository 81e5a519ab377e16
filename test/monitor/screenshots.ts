/**
 * The pictures of the monitor in docs/screenshots: `npm run screenshots`. The load of the demo, seeded; a minute later, when the
 * breaker holds and somebody has been reconciled, each page in both themes.
 */
import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { startDemo } from '../../examples/monitor/demo-server.ts'
import { serveVerdict } from '../../src/serve.ts'

const FOLDER = path.resolve(import.meta.dirname, '../../docs/screenshots')
const CHROMIUM = '/usr/bin/chromium'
const SIZE_MAX = 300_000
const VIEW = { width: 1440, height: 900 }
/** A minute of the demo, on a machine that has something else to do as well. */
const PATIENCE_MS = 240_000
const SEED = 7

interface Shown {
  readonly name: string
  readonly show: (page: Page) => Promise<void>
  /** Also what stands below. */
  readonly isWhole?: boolean
}

mkdirSync(FOLDER, { recursive: true })
const demo = await startDemo({ seed: SEED })
const empty = await serveVerdict('memory:', { port: 0, settings: { logLevel: 'error' } })
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
})
const pages: readonly Shown[] = [
  {
    name: 'list',
    show: async (page) => {
      await page.goto(demo.url)
      await page.locator('[data-freshness="likely_stale"]').first().waitFor()
    },
  },
  {
    name: 'detail',
    show: async (page) => {
      await page.goto(demo.url)
      await page.getByRole('link', { name: 'Ledger 2026' }).first().click()
      await page.waitForURL('**/operations/**')
      await page.getByRole('heading', { name: 'Ledger 2026' }).first().waitFor()
    },
  },
  {
    name: 'overview',
    isWhole: true,
    show: async (page) => {
      await page.goto(`${demo.url}/overview`)
      await page.getByText('seemed dead at once').waitFor()
      await page.locator('.chart canvas').first().waitFor()
    },
  },
  {
    name: 'first-run',
    show: async (page) => {
      await page.goto(empty.url)
      await page.getByRole('heading', { name: 'No operation yet' }).waitFor()
    },
  },
]

try {
  await settled(demo.url)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const shown of pages) await picture(browser, shown, colorScheme)
  }
} finally {
  await browser.close()
  await empty.close()
  await demo.close()
}

/** The breaker holds, and somebody was reconciled since the demo began. */
async function settled(url: string): Promise<void> {
  const beganAt = Date.now()
  const ask = async (place: string) => (await fetch(`${url}${place}`)).json() as Promise<Record<string, unknown>>
  for (;;) {
    const { breakers = [] } = (await ask('/v1/reconciler')) as { readonly breakers?: readonly unknown[] }
    const { count } = await ask(`/v1/operations:count?reconciled=true&endedFrom=${beganAt}`)
    if (breakers.length > 0 && Number(count) > 0) return
    if (Date.now() - beganAt > PATIENCE_MS) throw new Error(`nothing to see after ${PATIENCE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

async function picture(
  of: Browser,
  { name: page, show, isWhole = false }: Shown,
  colorScheme: 'light' | 'dark',
): Promise<void> {
  const name = `${page}-${colorScheme}`
  const context = await of.newContext({ viewport: VIEW, colorScheme, reducedMotion: 'reduce' })
  context.setDefaultTimeout(PATIENCE_MS)
  // What is said once to whoever is new is not in the picture.
  await context.addInitScript("localStorage.setItem('verdict.open-notice', 'read')")
  try {
    const shown = await context.newPage()
    await show(shown)
    const file = path.join(FOLDER, `${name}.png`)
    await shown.screenshot({ path: file, animations: 'disabled', fullPage: isWhole })
    const { size } = statSync(file)
    console.log(`${name}.png ${Math.ceil(size / 1_000)} kB`)
    if (size > SIZE_MAX) throw new Error(`${file} has ${size} bytes, more than ${SIZE_MAX}`)
  } finally {
    await context.close()
  }
}
