/**
 * What the list shows, as its address says it: the filters of the API under their own names, and beside them `ended` and `activity`
 * as spans back from now, `page` as the token of a page behind the first, and `asof`, the time that its spans are counted from.
 * Names that are not known are passed on: the server refuses them in a sentence rather than showing everything.
 */
import type { Query } from '../api.ts'

export interface SystemView {
  readonly name: string
  readonly query: string
  /** What it is for. */
  readonly title: string
}

export const SYSTEM_VIEWS: readonly SystemView[] = [
  { name: 'All', query: '', title: 'Every operation, the newest activity first' },
  {
    name: 'Needs attention',
    query: 'attention=true&sort=most_overdue',
    title: 'Likely stale: silent for longer than their policy allows, the most overdue first',
  },
  { name: 'Running', query: 'active=true', title: 'Everything that has not ended' },
  { name: 'Failed 24 h', query: 'statuses=failed&ended=24h', title: 'Failed within the last 24 hours' },
  {
    name: 'Reconciled 7 d',
    query: 'reconciled=true&ended=7d',
    title: 'Ended by the reconciler within the last 7 days, because they did not speak for themselves',
  },
]

export const SORT_NAMES = {
  newest_activity: 'Newest activity',
  oldest_in_status: 'Longest in status',
  longest_running: 'Longest running',
  most_overdue: 'Most overdue',
} as const

/** Names of spans and how far back they go. */
export const SPANS = { '1h': 'last hour', '24h': 'last 24 hours', '7d': 'last 7 days', '30d': 'last 30 days' } as const
const SPAN_UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const RANGES = ['ended', 'activity'] as const

/** Spans begin at whole minutes, so that what is asked again within a minute is the same question. */
const GRAIN_MS = 60_000

const OF_PAGE: ReadonlySet<string> = new Set(['page', 'asof'])
const NO_FILTER: ReadonlySet<string> = new Set([...OF_PAGE, 'sort'])

/** Where the list is that these say. */
export function listHref(params: URLSearchParams): string {
  const text = params.toString()
  return text === '' ? '/' : `/?${text}`
}

/** With the value there, or not there if it was; of the first page. */
export function toggled(params: URLSearchParams, name: string, value: string): URLSearchParams {
  const has = params.getAll(name).includes(value)
  const next = firstPage(params)
  if (has) next.delete(name, value)
  else next.append(name, value)
  return next
}

/** With this value and no other; without any where it is undefined. */
export function having(params: URLSearchParams, name: string, value: string | undefined): URLSearchParams {
  const next = firstPage(params)
  if (value === undefined || value === '') next.delete(name)
  else next.set(name, value)
  return next
}

export function firstPage(params: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(params)
  for (const name of OF_PAGE) next.delete(name)
  return next
}

/** The page behind, which counts its spans from when the first was read. */
export function pageBehind(params: URLSearchParams, token: string, asOf: number): URLSearchParams {
  const next = firstPage(params)
  next.set('page', token)
  if (RANGES.some((name) => next.has(name))) next.set('asof', String(asOf))
  return next
}

/** Everything that leaves rows out, in the order of the address. */
export function conditionsOf(params: URLSearchParams): readonly (readonly [name: string, value: string])[] {
  return [...params].filter(([name]) => !NO_FILTER.has(name))
}

export function isSystemView(params: URLSearchParams, { query }: SystemView): boolean {
  const one = firstPage(params)
  const other = new URLSearchParams(query)
  one.sort()
  other.sort()
  return one.toString() === other.toString()
}

/** The filter as the API has it. `asOf`: when the first page was read. */
export function filterOf(params: URLSearchParams, asOf: number): Query {
  const found: Record<string, string[]> = {}
  const countedFrom = Math.floor(Number(params.get('asof') ?? asOf) / GRAIN_MS) * GRAIN_MS
  for (const [name, value] of conditionsOf(params)) {
    const spanMs = RANGES.some((range) => range === name) ? spanMsOf(value) : undefined
    if (spanMs === undefined) found[name] = [...(found[name] ?? []), value]
    else found[`${name}From`] = [String(countedFrom - spanMs)]
  }
  return found
}

function spanMsOf(span: string): number | undefined {
  const [, count, unit] = /^(\d{1,4})([mhd])$/.exec(span) ?? []
  if (count === undefined || (unit !== 'm' && unit !== 'h' && unit !== 'd')) return undefined
  return Number(count) * SPAN_UNITS_MS[unit]
}

/** Names that may be typed in front of a value, and the filter that each is. */
const TYPED: Readonly<Record<string, string>> = {
  owner: 'owners',
  workspace: 'workspaces',
  kind: 'kinds',
  status: 'statuses',
  label: 'label',
  key: 'key',
  id: 'ids',
  reason: 'reasonCodes',
  freshness: 'freshness',
}

/** `owner:acme label:team=billing march` is two conditions and a text. */
export function typedInto(params: URLSearchParams, typed: string): URLSearchParams {
  const next = firstPage(params)
  const rest = typed.replace(/(?:^|\s)(\w+):(\S+)/g, (whole, name: string, value: string) => {
    const filter = TYPED[name]
    if (filter === undefined) return whole
    if (!next.getAll(filter).includes(value)) next.append(filter, value)
    return ''
  })
  return having(next, 'text', rest.trim())
}
