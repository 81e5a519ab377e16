/** Endpoints and deliveries in words. */
import type { EmbeddedNode } from '../app/embedded-node.ts'
import { positionAsText } from './told-action.ts'

type Desk = ReturnType<EmbeddedNode['webhooks']>
export type WebhookHealth = ReturnType<Desk['health']>
type Endpoint = WebhookHealth['endpoints'][number]
type Delivery = ReturnType<Desk['deliveries']>[number]

export function healthLines({ endpoints, isServed, stopped }: WebhookHealth): readonly string[] {
  return [
    ...endpoints.map(toldEndpoint),
    ...(endpoints.length === 0 ? ['there is no endpoint'] : []),
    ...(isServed ? [] : ['nobody sends at the moment: a process does that opens the log with the option webhooks']),
    ...(stopped === undefined ? [] : [stopped]),
  ]
}

export function toldEndpoint(endpoint: Endpoint): string {
  const { id, url, standing, reason, waiting, filter, failingSince, lastFailure } = endpoint
  const { types = ['all but progress'], workspace, owner, kind } = filter
  const told = [
    `${id}  ${standing}${reason === undefined ? '' : ` (${reason})`}`,
    shownUrl(url),
    types.join(','),
    ...Object.entries({ workspace, owner, kind }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    ),
    `${waiting} waiting`,
  ]
  if (failingSince !== undefined) told.push(`failing since ${new Date(failingSince).toISOString()}: ${lastFailure}`)
  return told.join('  ')
}

export function toldDelivery({ id, endpoint, standing, type, subject, position, attempts, dueAt }: Delivery): string {
  const last = attempts.at(-1)
  const told = [`${id}  ${endpoint}  ${standing}  ${type}  ${subject ?? '-'}  position ${position}`]
  told.push(`${attempts.length} tries`)
  if (last?.error !== undefined) told.push(last.error)
  if (dueAt !== undefined) told.push(`next at ${new Date(dueAt).toISOString()}`)
  return told.join('  ')
}

/** For programs: without secrets, and positions as texts. */
export function asJson(answer: unknown): string {
  return JSON.stringify(
    answer,
    (name, value: unknown) => {
      if (name === 'secrets') return undefined
      if (name === 'url' && typeof value === 'string') return shownUrl(value)
      return positionAsText(name, value)
    },
    2,
  )
}

/** What stands behind the path may be a secret of the receiver. */
function shownUrl(url: string): string {
  return url.replace(/\?.*$/s, '?…')
}
