/**
 * A server as command lines use it: whether it answers is tried before anything is asked of it, so that one that is not there is
 * told within seconds, whatever the command, and one that restarts is waited for. From then on everything is as patient as
 * the client is.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connectVerdict } from '../client/connect.ts'
import type { ConnectedVerdict } from '../client/connected-verdict.ts'
import { serverUnavailable } from '../client/http-refusals.ts'
import { messageOf } from '../client/http-transport.ts'
import { OperationRejected } from '../client/operation-errors.ts'
import type { VerdictDefaults } from '../client/verdict.ts'

export interface ServerPlace {
  readonly url: string
  readonly apiKey: string | undefined
  /** How long one that can't be reached is tried again. */
  readonly waitMs: number
}

const RETRY_MS = 250
/** A server that has much to do answers late; one that says nothing at all is given up. */
const SILENCE_MS_MAX = 10_000
/** What stands before a server answers so while there is none behind it. */
const GATEWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])

/** Throws OperationRejected `server_unavailable`. */
export async function reachedServer(
  place: ServerPlace,
  defaults: Omit<VerdictDefaults, 'actor'>,
): Promise<ConnectedVerdict> {
  const { url, waitMs } = place
  const giveUpAt = performance.now() + waitMs
  for (;;) {
    const why = await tried(`${url.replace(/\/+$/, '')}/livez`)
    if (why === undefined) return connectTo(place, defaults)
    if (performance.now() + RETRY_MS > giveUpAt) {
      throw new OperationRejected(serverUnavailable(url, why, { mayHaveArrived: false }))
    }
    await delay(RETRY_MS)
  }
}

/** One that need not be there yet. */
export function connectTo({ url, apiKey }: ServerPlace, defaults: Omit<VerdictDefaults, 'actor'>): ConnectedVerdict {
  return connectVerdict(url, { ...defaults, ...(apiKey === undefined ? {} : { apiKey }) })
}

/** What stands in the way; undefined where somebody answered. */
async function tried(url: string): Promise<string | undefined> {
  const silence = AbortSignal.timeout(SILENCE_MS_MAX)
  try {
    const { status, body } = await fetch(url, { signal: silence, redirect: 'manual' })
    await body?.cancel()
    return GATEWAY_STATUSES.has(status) ? `it answers with status ${status}` : undefined
  } catch (error) {
    return silence.aborted ? 'the server does not answer' : messageOf(error)
  }
}
