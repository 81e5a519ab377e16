/**
 * The address of the page as a value. Links are ordinary links: a click within the page is taken over here, everything else (a new
 * tab, a download, another site, the API reference) is the browser's.
 */
import { signal } from '@preact/signals'

export type Route =
  | { readonly type: 'list'; readonly path: string; readonly query: URLSearchParams }
  | {
      readonly type: 'operation'
      readonly path: string
      readonly workspace: string
      readonly owner: string
      readonly id: string
      readonly query: URLSearchParams
    }
  | { readonly type: 'overview'; readonly path: string; readonly query: URLSearchParams }
  | { readonly type: 'login'; readonly path: string; readonly query: URLSearchParams }
  | { readonly type: 'unknown'; readonly path: string; readonly query: URLSearchParams }

export const route = signal<Route>(routeOf(window.location))

export function routeOf({ pathname: path, search }: { readonly pathname: string; readonly search: string }): Route {
  const query = new URLSearchParams(search)
  if (path === '/') return { type: 'list', path, query }
  if (path === '/overview') return { type: 'overview', path, query }
  if (path === '/login') return { type: 'login', path, query }
  const [, workspace, owner, id] = /^\/operations\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path)?.map(decoded) ?? []
  if (workspace === undefined || owner === undefined || id === undefined) return { type: 'unknown', path, query }
  return { type: 'operation', path, workspace, owner, id, query }
}

/** Where the page of an operation is. `number` names one life of an id that had several. */
export function operationHref(of: {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly number?: number
}): string {
  const path = ['operations', of.workspace, of.owner, of.id].map((part) => `/${encodeURIComponent(part)}`).join('')
  return of.number === undefined ? path : `${path}?number=${of.number}`
}

/** Goes there, as if a link had been followed; `replace` leaves no step to go back to. */
export function navigate(href: string, { replace = false } = {}): void {
  if (replace) window.history.replaceState(null, '', href)
  else window.history.pushState(null, '', href)
  route.value = routeOf(window.location)
}

/** The route goes with the address from now on. Called once. */
export function followAddress(): void {
  window.addEventListener('popstate', () => {
    route.value = routeOf(window.location)
  })
  document.addEventListener('click', (event) => {
    const href = hrefWithin(event)
    if (href === undefined) return
    event.preventDefault()
    navigate(href)
    window.scrollTo(0, 0)
  })
}

/** Where a click leads within this page; undefined for what is not ours. */
function hrefWithin(event: MouseEvent): string | undefined {
  if (event.defaultPrevented || event.button !== 0) return undefined
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return undefined
  const link = event.target instanceof Element ? event.target.closest('a') : null
  if (link === null || link.target !== '' || link.hasAttribute('download')) return undefined
  const url = new URL(link.href, window.location.href)
  if (url.origin !== window.location.origin || url.hash !== '') return undefined
  return routeOf(url).type === 'unknown' ? undefined : `${url.pathname}${url.search}`
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
