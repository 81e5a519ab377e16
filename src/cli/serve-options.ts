/** Where a server listens, what it serves and whom it lets in: by flag, else by environment, else by file, else by default. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DEFAULT_HOST, DEFAULT_PORT, type ServeOptions } from '../serve.ts'
import { type StorePlace, storePlace } from './store-option.ts'
import { UsageError } from './usage-error.ts'

/** For parseArgs; beside those of the store. */
export const SERVE_OPTIONS = {
  host: { type: 'string' },
  port: { type: 'string' },
  config: { type: 'string' },
  keys: { type: 'string' },
} as const

export interface ServeFlags {
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly config?: string | undefined
  readonly keys?: string | undefined
  readonly data?: string | undefined
  readonly store?: string | undefined
}

export interface ServePlan {
  readonly place: StorePlace
  readonly options: ServeOptions
}

const KEYS_FILE = 'keys.json'
const SERVER_FIELDS = ['host', 'port', 'data', 'store', 'keys', 'jwt']

/** Throws UsageError; no password of an address is in it. */
export function servePlan(flags: ServeFlags, environment: NodeJS.ProcessEnv = process.env): ServePlan {
  const file = flags.config ?? environment.VERDICT_CONFIG
  const { server = {}, ...opening } = file === undefined ? {} : configuration(file)
  const told = (flag: string | undefined, variable: string, inFile: unknown) =>
    flag ?? (environment[variable] || undefined) ?? textIn(inFile)
  const place = storePlace(
    flags.data !== undefined || flags.store !== undefined
      ? flags
      : environment.VERDICT_STORE
        ? {}
        : { data: environment.VERDICT_DATA || textIn(server.data), store: textIn(server.store) },
    environment,
  )
  const keys = told(flags.keys, 'VERDICT_KEYS', server.keys) ?? keysBeside(place)
  const jwt = server.jwt as NonNullable<ServeOptions['authentication']>['jwt'] | undefined // checked where it is used
  return {
    place,
    options: {
      ...opening,
      host: told(flags.host, 'VERDICT_HOST', server.host) ?? DEFAULT_HOST,
      port: portOf(told(flags.port, 'VERDICT_PORT', server.port) ?? String(DEFAULT_PORT)),
      authentication: { ...(keys === undefined ? {} : { keys }), ...(jwt === undefined ? {} : { jwt }) },
    },
  }
}

/** The file of the keys beside an embedded log; undefined where there is none, or no folder. */
export function keysBeside({ folder }: StorePlace, mustExist = true): string | undefined {
  if (folder === undefined) return undefined
  const file = path.join(folder, KEYS_FILE)
  return mustExist && !existsSync(file) ? undefined : file
}

type Configuration = ServeOptions & { readonly server?: Readonly<Record<string, unknown>> }

function configuration(file: string): Configuration {
  try {
    return configurationIn(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The text of a file; all but the section `server` is checked where it is used. Throws. */
export function configurationIn(text: string): Configuration {
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Error('expected an object')
  const { server = {} } = parsed as { readonly server?: unknown }
  if (typeof server !== 'object' || server === null) throw new Error('server: expected an object')
  assertKnown(Object.keys(server), SERVER_FIELDS, 'server.')
  for (const [name, value] of Object.entries(server)) {
    if (name === 'jwt' || typeof value === 'string' || typeof value === 'number') continue
    throw new Error(`server.${name}: expected a text${name === 'port' ? ' or a number' : ''}`)
  }
  return parsed
}

function assertKnown(names: readonly string[], known: readonly string[], prefix: string): void {
  const stray = names.find((name) => !known.includes(name))
  if (stray !== undefined) throw new Error(`there is no ${prefix}${stray}: it is one of ${known.join(', ')}`)
}

function textIn(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value)
}

function portOf(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new UsageError(`--port wants a number from 0 to 65535, got "${text}"`)
}
