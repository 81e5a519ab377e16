/** Operations on a server of the test's own, and their pages. */
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Asked, Served } from '../../http/support/served.ts'
import { type OpenedPage, opened, PATIENCE_MS } from './browser.ts'

const OWNER = '/v1/workspaces/w/owners/o'

/** Thresholds that pass at once, or not within a test. */
export const PATIENT = { staleAfterMs: 600_000, startGraceMs: 600_000 }
export const DEAD_AT_ONCE = { staleAfterMs: 600_000, startGraceMs: 1 }

type JsonBody = Readonly<Record<string, unknown>>

/** Commands of the owner `o` in `w`; a refusal fails the test. */
export function commands({ post }: Pick<Served, 'post'>, asked: Asked = {}) {
  const send = async (path: string, body: JsonBody = {}) => {
    const answer = await post(`${OWNER}${path}`, body, asked)
    if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  return {
    send,
    register: (id: string, fields: JsonBody = {}) => send('/operations', { kind: 'export', id, ...fields }),
    tell: (id: string, verb: string, body: JsonBody = {}) =>
      send(`/operations/${encodeURIComponent(id)}:${verb}`, body),
  }
}

/** Waits until a deadline of it has passed; the verdict that may be spoken then. */
export async function overdue({ get }: Pick<Served, 'get'>, id: string, asked: Asked = {}) {
  const verdict = async () =>
    (await get(`${OWNER}/operations/${encodeURIComponent(id)}/outlook`, asked)).body.verdict as JsonBody | undefined
  await expect.poll(verdict, { timeout: PATIENCE_MS }).toBeDefined()
  return verdict()
}

export function pageOf(id: string, search = ''): string {
  return `/operations/w/o/${encodeURIComponent(id)}${search}`
}

/** The page of an operation, once it is shown. */
export async function openedOperation(
  server: Pick<Served, 'url'>,
  id: string,
  options: BrowserContextOptions & { readonly search?: string } = {},
): Promise<OpenedPage> {
  const { search = '', ...context } = options
  const page = await opened(`${server.url}${pageOf(id, search)}`, context)
  await card(page, 'events').getByRole('table').waitFor()
  return page
}

export function card(page: Page, name: string): Locator {
  return page.locator(`[data-card="${name}"]`)
}

export function sentence(page: Page): Locator {
  return page.locator('[data-part="sentence"]')
}

/** Waits until a text stands there, whatever stood there before. */
export async function shows(place: Locator, text: string | RegExp): Promise<void> {
  await place.filter({ hasText: text }).first().waitFor({ timeout: PATIENCE_MS })
}
