/** The list of operations: views, facets, rows that stay where they are, and everything in the address. */
import { effect, useSignalEffect } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { announce } from '../announcer.tsx'
import { now } from '../clock.ts'
import { FailedPage, toldOf } from '../error-page.tsx'
import { Icon } from '../icons.tsx'
import { useShortcuts } from '../keyboard.ts'
import { navigate, route } from '../route.ts'
import { isNarrow } from '../screen.ts'
import { relativeTime } from '../times.ts'
import { AsOfLine } from './as-of-line.tsx'
import { EmptyList } from './empty-list.tsx'
import { FacetGroups } from './facet-groups.tsx'
import { Conditions, EndedChoice, SEARCH_FIELD, SearchField, SortChoice, SystemViews } from './filter-bar.tsx'
import { conditionsOf, firstPage, isSystemView, listHref, pageBehind, SYSTEM_VIEWS } from './list-query.ts'
import { ListStore } from './list-store.ts'
import { OperationCards } from './operation-cards.tsx'
import { OperationsTable } from './operations-table.tsx'
import './list.css'

/** Kept over visits of other pages, so that whoever comes back finds the list as it was. */
const store = new ListStore()
effect(() => {
  // Somebody else may come back from there.
  if (route.value.type === 'login') store.forget()
})
/** Pages that were come from, by the token of the page that was gone to. */
const cameFrom = new Map<string, string>()
const CAME_FROM_MAX = 1_000

export function ListPage({ query }: { readonly query: URLSearchParams }) {
  const address = query.toString()
  // The same value for the same address: what depends on it is made once.
  const params = useMemo(() => new URLSearchParams(address), [address])
  // Before the first frame: what is asked for first is what is waited for.
  useLayoutEffect(() => store.show(params), [params])
  useTitle(params)
  useListKeys()
  useSignalEffect(() => {
    const { count } = store.newer.value
    if (count > 0) announce('There are newer operations.')
  })
  const { value: failure } = store.failure
  const { value: asOf } = store.asOf
  if (failure !== undefined && store.isLoading.value) {
    return <FailedPage error={failure} onRetry={() => void store.reload()} />
  }
  return (
    <div class="list-page">
      <h1 class="visually-hidden">Operations</h1>
      <SystemViews params={params} />
      <Facets params={params} />
      <div class="list-main">
        <div class="filter-bar">
          <SearchField params={params} />
          <EndedChoice params={params} />
          <SortChoice params={params} />
        </div>
        <Conditions params={params} />
        {failure !== undefined && asOf !== undefined && <Failure error={failure} readAt={asOf.readAt} />}
        <div class="list-head">
          {asOf && <AsOfLine asOf={asOf} facets={store.facets.value} />}
          <Newer params={params} />
        </div>
        <Rows params={params} />
        <Pages params={params} />
      </div>
    </div>
  )
}

function Facets({ params }: { readonly params: URLSearchParams }) {
  const groups = <FacetGroups params={params} facets={store.facets.value} />
  if (!isNarrow.value) {
    return (
      <nav class="facets" aria-label="Filters">
        {groups}
      </nav>
    )
  }
  const { length } = conditionsOf(params)
  return (
    <details class="facets">
      <summary class="button">
        <Icon name="filter" />
        Filters{length > 0 && ` (${length})`}
      </summary>
      <nav aria-label="Filters">{groups}</nav>
    </details>
  )
}

function Rows({ params }: { readonly params: URLSearchParams }) {
  const rows = store.rows.value
  const isLoading = store.isLoading.value
  if (rows.length === 0) {
    return isLoading ? (
      <p class="empty muted" role="status">
        Reading operations …
      </p>
    ) : (
      <EmptyList params={params} />
    )
  }
  return (
    <section class={`rows${isLoading ? ' is-old' : ''}`} aria-label="Operations" aria-busy={isLoading}>
      {isNarrow.value ? <OperationCards rows={rows} /> : <OperationsTable rows={rows} />}
    </section>
  )
}

/** What has come since, behind one button: rows move when somebody asks for it. */
function Newer({ params }: { readonly params: URLSearchParams }) {
  const { count, isCapped } = store.newer.value
  if (count === 0) return null
  const show = () => {
    if (params.has('page')) navigate(listHref(firstPage(params)))
    else void store.reload()
    document.getElementById('content')?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }
  return (
    <button type="button" class="button newer" onClick={show}>
      <Icon name="up" />
      {count}
      {isCapped && '+'} newer
    </button>
  )
}

function Pages({ params }: { readonly params: URLSearchParams }) {
  const token = params.get('page')
  const next = store.nextPageToken.value
  if (token === null && next === undefined) return null
  const before = token === null ? undefined : cameFrom.get(token)
  const asOf = Number(params.get('asof') ?? store.openedAt)
  return (
    <nav class="pages" aria-label="Pages of the list">
      {token !== null && (
        <a class="button" href={listHref(firstPage(params))}>
          First page
        </a>
      )}
      {before !== undefined && (
        <a class="button" rel="prev" href={before}>
          <Icon name="left" />
          Previous
        </a>
      )}
      {next !== undefined && (
        <a
          class="button"
          rel="next"
          href={listHref(pageBehind(params, next, asOf))}
          onClick={() => remember(next, listHref(params))}
        >
          Next
          <Icon name="right" />
        </a>
      )}
    </nav>
  )
}

function remember(token: string, href: string): void {
  cameFrom.set(token, href)
  const [oldest] = cameFrom.keys()
  if (cameFrom.size > CAME_FROM_MAX && oldest !== undefined) cameFrom.delete(oldest)
}

function Failure({ error, readAt }: { readonly error: unknown; readonly readAt: number }) {
  const { title, told, whatToDo } = toldOf(error)
  return (
    <div class="banner" role="alert">
      <strong>{title}.</strong> {told} {whatToDo} What is shown was read {relativeTime(readAt, now.value)}.{' '}
      <button type="button" class="button" onClick={() => void store.reload()}>
        Try again
      </button>
    </div>
  )
}

function useTitle(params: URLSearchParams): void {
  useEffect(() => {
    const view = SYSTEM_VIEWS.find((one) => isSystemView(params, one))
    document.title = `${view?.name ?? 'Operations'} – Verdict`
  }, [params])
}

function useListKeys(): void {
  /** The row that the keyboard was in last. */
  const at = useRef<string | null>(null)
  const keys = useMemo(() => {
    const step = (by: 1 | -1) => {
      const links = [...document.querySelectorAll<HTMLAnchorElement>('.row-link')]
      const of = (link: Element | null) => link?.closest<HTMLElement>('[data-operation]')?.dataset.operation ?? null
      const focused = document.activeElement?.closest('[data-operation]') ?? null
      const from = links.findIndex((link) => of(link) === (focused === null ? at.current : of(focused)))
      const link = links[from === -1 ? 0 : Math.min(Math.max(from + by, 0), links.length - 1)]
      link?.focus()
      link?.closest('.row')?.scrollIntoView({ block: 'nearest' })
      at.current = of(link ?? null)
    }
    const press = (rel: 'next' | 'prev') => document.querySelector<HTMLAnchorElement>(`.pages a[rel="${rel}"]`)?.click()
    return [
      { key: '/', does: 'Find by id or name', run: () => document.getElementById(SEARCH_FIELD)?.focus() },
      { key: 'j', does: 'Next row', run: () => step(1) },
      { key: 'k', does: 'Row before', run: () => step(-1) },
      { key: 'Enter', does: 'Open the row', run: () => {} },
      {
        key: 'Escape',
        does: 'Leave the row or the field',
        run: () => document.activeElement instanceof HTMLElement && document.activeElement.blur(),
      },
      { key: 'r', does: 'Show what is newer', run: () => void store.reload() },
      { key: 'n', does: 'Next page', run: () => press('next') },
      { key: 'p', does: 'Page before', run: () => press('prev') },
    ]
  }, [])
  useShortcuts(keys)
}
