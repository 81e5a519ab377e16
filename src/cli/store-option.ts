/** Where the log of a command is: by flag, else by environment, else in the folder of the project. */
import path from 'node:path'
import { shownLocation } from '../app/shown-location.ts'
import { UsageError } from './usage-error.ts'

export const STORE_VARIABLE = 'VERDICT_STORE'
const DATA_FOLDER = '.verdict'

/** For parseArgs. */
export const STORE_OPTIONS = { data: { type: 'string' }, store: { type: 'string' } } as const

export const STORE_HELP = `  --store STORE          the log: sqlite:PATH, memory: (gone with this process) or esdb://[user:password@]host:port for an
                         EventStoreDB; ${STORE_VARIABLE} in the environment says the same, where no process list shows it
  --data DIR             the folder of an embedded log (default: ${DATA_FOLDER}); excludes --store
`

export interface StorePlace {
  readonly location: string
  /** Of an embedded log whose folder is ours to make. */
  readonly folder: string | undefined
}

/** Throws UsageError; no password of an address is in it. */
export function storePlace(
  { data, store }: { readonly data?: string | undefined; readonly store?: string | undefined },
  environment: NodeJS.ProcessEnv = process.env,
): StorePlace {
  if (data !== undefined && store !== undefined) {
    throw new UsageError('--data and --store exclude each other: one is a folder, the other an address')
  }
  if (data === '') throw new UsageError('--data wants a folder, got ""')
  if (store !== undefined) return { location: checked('--store', store), folder: undefined }
  const told = environment[STORE_VARIABLE]
  if (data === undefined && told) return { location: checked(STORE_VARIABLE, told), folder: undefined }
  const folder = data ?? DATA_FOLDER
  return { location: path.join(folder, 'verdict.db'), folder }
}

/** Stricter than the library: a host without its esdb:// must not become a file of that name. */
function checked(name: string, store: string): string {
  if (/^(sqlite|memory|esdb(\+discover)?):/.test(store)) return store
  throw new UsageError(`${name} wants sqlite:PATH, memory: or esdb://host:port, got "${shownLocation(store)}"`)
}
