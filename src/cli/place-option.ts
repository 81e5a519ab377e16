/** Where a command looks and acts: at a server, or at a log that it opens itself. The same API stands over both. */
import { userInfo } from 'node:os'
import type { Verdict, VerdictDefaults } from '../client/verdict.ts'
import { reachedServer, type ServerPlace } from './reached-server.ts'
import { STORE_HELP, STORE_OPTIONS, type StorePlace, storePlace } from './store-option.ts'
import { timeOf } from './time-option.ts'
import { UsageError } from './usage-error.ts'

export const SERVER_VARIABLE = 'VERDICT_SERVER'
export const API_KEY_VARIABLE = 'VERDICT_API_KEY'

/** For parseArgs. */
export const PLACE_OPTIONS = { ...STORE_OPTIONS, server: { type: 'string' } } as const

export const PLACE_HELP = `  --server URL           a server, such as http://localhost:8080; ${SERVER_VARIABLE} in the environment says the same, and its key
                         stands in ${API_KEY_VARIABLE}, where no process list shows it. Excludes --store and --data
${STORE_HELP}`

/** Of a command that is over soon: a server that is not there is not waited for as long as by what runs for hours. */
export const REACHED_OPTIONS = { ...PLACE_OPTIONS, wait: { type: 'string' } } as const

const WAIT_MS = 3_000

export const REACHED_HELP = `${PLACE_HELP}  --wait TIME            how long a server that can't be reached is tried again (default: 3s)
`

export interface PlaceFlags {
  readonly server?: string | undefined
  readonly data?: string | undefined
  readonly store?: string | undefined
  readonly wait?: string | undefined
}

export type Place = ({ readonly type: 'server' } & ServerPlace) | { readonly type: 'log'; readonly store: StorePlace }

/** A flag goes before the environment, in which a server goes before a log. Throws UsageError. */
export function placeOf(flags: PlaceFlags, environment: NodeJS.ProcessEnv = process.env): Place {
  const isLogNamed = flags.data !== undefined || flags.store !== undefined
  if (flags.server !== undefined && isLogNamed) throw new UsageError('--server excludes --store and --data')
  const told = flags.server ?? (isLogNamed ? undefined : environment[SERVER_VARIABLE] || undefined)
  if (told === undefined) return { type: 'log', store: storePlace(flags, environment) }
  const waitMs = flags.wait === undefined ? WAIT_MS : timeOf('--wait', flags.wait)
  return { type: 'server', url: checkedUrl(told), apiKey: environment[API_KEY_VARIABLE] || undefined, waitMs }
}

/** For what looks at a log, or acts on what stands in it: one that is not there is not begun. */
export async function openPlace(place: Place, defaults: Omit<VerdictDefaults, 'actor'> = {}): Promise<Verdict> {
  if (place.type === 'server') return reachedServer(place, defaults)
  const { openVerdict } = await import('../app.ts')
  const actor = userInfo().username
  // A command that lasts a second need not look after all others.
  return openVerdict(place.store.location, { ...defaults, actor, mustExist: true, reconciler: false })
}

/** A key in it would be seen in every process list. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError('--server wants the address of a server, such as http://localhost:8080')
  }
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError(
      `--server wants an address without user, query and fragment: a key stands in ${API_KEY_VARIABLE}`,
    )
  }
  return text
}
