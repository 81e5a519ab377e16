/**
 * Composition of the server: a node over a log, and its HTTP face.
 *
 *     serveVerdict -> openNode (app.ts) -> createServer (src/http) -> listening
 *     close: drained -> signs of life written, log closed (the door)
 */
import type { AddressInfo } from 'node:net'
import { type AdminOfNode, adminOf } from './app/admin-of-node.ts'
import type { EmbeddedNode } from './app/embedded-node.ts'
import { placeOf } from './app/log-of-node.ts'
import { NodeStanding } from './app/node-standing.ts'
import type { OpenOptions } from './app/open-options.ts'
import { reconcilerOf } from './app/reconciler-of-node.ts'
import { openNode } from './app.ts'
import type { RegistryAddress } from './authority/questions.ts'
import { SettingsError, settingsOf } from './config.ts'
import { type ApiKey, addKey, apiKeys, readKeys, revokeKey } from './http/api-keys.ts'
import { type Authentication, authenticatedBy, isLoopback, openToEverybody } from './http/authentication.ts'
import { answeredOrThrow } from './http/commands.ts'
import { anyOf } from './http/credential.ts'
import { DeniedActions } from './http/denied-actions.ts'
import { described } from './http/described-routes.ts'
import { healthRoutes } from './http/health-routes.ts'
import type { Host } from './http/host.ts'
import { jsonWebTokens, type TokenOptions, tokenOptionsSchema } from './http/json-web-tokens.ts'
import { Metrics } from './http/metrics.ts'
import { monitorFiles } from './http/monitor-files.ts'
import { requestLog } from './http/request-log.ts'
import { EVERY_WORKSPACE, ROLES } from './http/roles.ts'
import { createServer } from './http/server.ts'
import { type SessionParts, Sessions } from './http/sessions.ts'
import { traces } from './http/traces.ts'
import { SYSTEM_CLOCK } from './runtime/clock.ts'
import { createLogger, type Logger } from './runtime/logger.ts'

export interface ServeOptions extends Omit<OpenOptions, 'log'> {
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Default: 8080; 0 takes a free one. */
  readonly port?: number
  readonly log?: Logger
  /** Who asks. Without any of it everybody may do everything, and only a loopback address is opened. */
  readonly authentication?: AuthenticationOptions
}

export interface AuthenticationOptions {
  /** The file of API keys; see `verdict keys`. */
  readonly keys?: string
  readonly jwt?: TokenOptions
}

export interface ServedVerdict {
  readonly node: EmbeddedNode
  readonly address: AddressInfo
  readonly url: string
  /** Drains and closes all of it. Twice is once. */
  close(): Promise<void>
  /** Ends what still drains, connections first. */
  force(): void
}

export const DEFAULT_HOST = '127.0.0.1'
export const DEFAULT_PORT = 8080

/** Throws LogError, SettingsError, and what listening throws; then nothing is left open. */
export async function serveVerdict(location: string, options: ServeOptions = {}): Promise<ServedVerdict> {
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, authentication = {}, ...opening } = options
  const settings = settingsOf(options.settings)
  const log = options.log ?? createLogger(settings.logLevel)
  const { clock = SYSTEM_CLOCK } = options
  const sessions = { settings, now: () => clock.now(), monotonicNow: () => clock.monotonicNow() }
  let admin: AdminOfNode | undefined
  const callers = { onKeysRead: (keys: readonly ApiKey[]) => void admin?.keysSeen(keys), sessions }
  const authenticating = authenticationOf(authentication, host, log, callers)
  // Of a log on a server the file of webhooks has to be named.
  const webhooks = placeOf(location).type === 'eventstoredb' ? {} : { webhooks: {} }
  const node = await openNode(location, { readModels: { follow: 'at_start' }, ...webhooks, ...opening, log })
  const record = adminOf(node, clock, (...args) => log.warn(...args))
  admin = record
  const denials = new DeniedActions({ record: record.denied, clock, warn: (...args) => log.warn(...args) })
  const release = async () => {
    await denials.end()
    await record.end()
    await node.door.close()
  }
  try {
    if (authentication.keys !== undefined) record.keysSeen(readKeys(authentication.keys))
    const standing = new NodeStanding(node, options.reconciler !== false, clock)
    const metrics = new Metrics(standing)
    const server = await createServer({
      door: metrics.observed(node.door),
      events: node.events,
      reconciler: reconcilerOf(node, standing),
      adminEvents: record.events,
      denials,
      settings,
      log,
      authentication: authenticating,
      version: VERSION,
      now: () => Date.now(),
      locate: (id, workspaces) => locate(node, id, workspaces),
      plugins: [traces, requestLog, metrics.routes(), healthRoutes(standing), described, monitorFiles()],
    })
    const address = await server.listen({ host, port })
    if (options.reconciler !== false) node.reconciler.start()
    let closing: Promise<void> | undefined
    return {
      node,
      address,
      url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      close() {
        closing ??= server.drain().finally(release)
        return closing
      },
      force: () => server.force(),
    }
  } catch (error) {
    await release()
    throw error
  }
}

interface CallerParts {
  /** Told of the keys each time that their file was read. */
  readonly onKeysRead: (keys: readonly ApiKey[]) => void
  readonly sessions: Omit<SessionParts, 'credential'>
}

/** Throws SettingsError: an address that others reach is never open to everybody. */
function authenticationOf(
  { keys, jwt }: AuthenticationOptions,
  host: string,
  log: Logger,
  { onKeysRead, sessions }: CallerParts,
): Authentication {
  const credentials = [
    ...(keys === undefined ? [] : [keysOf(keys, log, onKeysRead)]),
    ...(jwt === undefined ? [] : [jsonWebTokens(checkedTokens(jwt))]),
  ]
  if (credentials.length > 0) {
    return authenticatedBy(credentials, new Sessions({ ...sessions, credential: anyOf(credentials) }))
  }
  if (isLoopback(host)) return openToEverybody()
  throw new SettingsError(
    `${host} can be reached by others, and nobody would have to say who he is: make a key with "verdict keys add", name a jwt issuer, or serve 127.0.0.1`,
  )
}

function keysOf(path: string, log: Logger, onRead: (keys: readonly ApiKey[]) => void) {
  // A file that can't be used stops the start with a sentence.
  readKeys(path)
  return apiKeys({
    path,
    onRead,
    monotonicNow: () => SYSTEM_CLOCK.monotonicNow(),
    warn: (message) => log.error({ path }, `nobody is let in by a key: ${message}`),
  })
}

function checkedTokens(jwt: TokenOptions): TokenOptions {
  const parsed = tokenOptionsSchema.safeParse(jwt)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SettingsError(`jwt.${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
}

/** The keys of a server, for those who hand them out. */
export { addKey, EVERY_WORKSPACE, ROLES, readKeys, revokeKey }

const VERSION = '0.1.0'

/** Owners told of where several have the id. */
const LOCATED_MAX = 5

const locate = async (
  { store, door }: EmbeddedNode,
  id: string,
  workspaces: readonly string[] | undefined,
): ReturnType<Host['locate']> => {
  if (workspaces?.length === 0) return []
  const atLeast = await store.end()
  const filter = { ids: [id], ...(workspaces === undefined ? {} : { workspaces: [...workspaces] }) }
  const question = { filter, pageSize: LOCATED_MAX, atLeast }
  const answer = answeredOrThrow(await door.monitoring.operations(question))
  const found = new Map<string, RegistryAddress>()
  for (const { workspace, owner } of answer.operations)
    found.set(JSON.stringify([workspace, owner]), { workspace, owner })
  return [...found.values()]
}
