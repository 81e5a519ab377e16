/** The list as somebody sees it. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { PATIENCE_MS } from './browser.ts'

/** Ids of the rows, from the top. */
export async function idsOn(page: Page): Promise<readonly string[]> {
  return (await page.evaluate(
    `[...document.querySelectorAll('.row')].map((row) => row.dataset.operation)`,
  )) as readonly string[] // each row has one
}

export async function expectRows(page: Page, ids: readonly string[]): Promise<void> {
  await expect.poll(() => idsOn(page), { timeout: PATIENCE_MS }).toEqual(ids)
}

/** The row of an operation. */
export function rowOf(page: Page, id: string) {
  return page.locator(`.row[data-operation="${id}"]`)
}

/** The text of its cells, by the heads of their columns. */
export async function cellsOf(page: Page, id: string): Promise<Readonly<Record<string, string>>> {
  const heads = await page.getByRole('columnheader').allInnerTexts()
  const cells = await rowOf(page, id).getByRole('cell').allInnerTexts()
  return Object.fromEntries(heads.map((head, i) => [head, (cells[i] ?? '').replaceAll(/\s+/g, ' ').trim()]))
}

/** The count beside a value of a facet; empty where it has none. */
export async function facetCount(page: Page, group: string, value: string): Promise<string> {
  const link = page.getByRole('region', { name: group, exact: true }).locator(`a[title="${value}"]`)
  const count = link.locator('.facet-count')
  return (await count.count()) === 0 ? '' : count.innerText()
}

export async function expectLive(page: Page): Promise<void> {
  await page.locator('.live-live').waitFor()
}
