/**
 * Composition of the server: a node over a log, and its HTTP face.
 *
 *     serveVerdict -> openNode (app.ts) -> createServer (src/http) -> listening
 *     close: drained -> signs of life written, log closed (the door)
 */
import type { AddressInfo } from 'node:net'
import type { listAsked } from '../projections/operation-questions.ts'
import { type EmbeddedNode, type OpenOptions, openNode } from './app.ts'
import type { RegistryAddress } from './authority/questions.ts'
import { settingsOf } from './config.ts'
import { type Authenticate, openToEverybody } from './http/authentication.ts'
import type { Host } from './http/host.ts'
import { createServer } from './http/server.ts'
import { SOURCE_EXTENSION } from './read-side-of-node.ts'
import { createLogger, type Logger } from './runtime/logger.ts'
import type { Question } from './subscriptions/question.ts'

export interface ServeOptions extends Omit<OpenOptions, 'log'> {
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Default: 8080; 0 takes a free one. */
  readonly port?: number
  readonly log?: Logger
  /** Who asks. Default: everybody may do everything, which only a loopback address is opened for. */
  readonly authenticate?: Authenticate
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
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, authenticate = openToEverybody(), ...opening } = options
  const settings = settingsOf(options.settings)
  const log = options.log ?? createLogger(settings.logLevel)
  const node = await openNode(location, { readModels: { follow: 'at_start' }, ...opening, log })
  try {
    const server = await createServer({
      door: node.door,
      settings,
      log,
      authenticate,
      version: VERSION,
      now: () => Date.now(),
      locate: (id, workspaces) => locate(node, id, workspaces),
    })
    const address = await server.listen({ host, port })
    if (options.reconciler !== false) node.reconciler.start()
    let closing: Promise<void> | undefined
    return {
      node,
      address,
      url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      close() {
        closing ??= server.drain().finally(() => node.door.close())
        return closing
      },
      force: () => server.force(),
    }
  } catch (error) {
    await node.door.close()
    throw error
  }
}

const VERSION = '0.1.0'

const LOCATE_TIMEOUT_MS = 10_000
/** Owners told of where several have the id. */
const LOCATED_MAX = 5

const OPERATIONS_LISTED: Question<typeof listAsked> = {
  module: new URL(`../projections/operation-questions.${SOURCE_EXTENSION}`, import.meta.url).href,
  name: 'listAsked',
  projection: 'operation-index',
}

const locate = async (
  { store, readSide }: EmbeddedNode,
  id: string,
  workspaces: readonly string[] | undefined,
): ReturnType<Host['locate']> => {
  if (workspaces?.length === 0) return []
  const atLeast = await store.end()
  const filter = { ids: [id], ...(workspaces === undefined ? {} : { workspaces: [...workspaces] }) }
  const { answer } = await readSide.ask(
    OPERATIONS_LISTED,
    [{ filter, now: Date.now(), graceMs: 0, pageSize: LOCATED_MAX }],
    { atLeast, timeoutMs: LOCATE_TIMEOUT_MS },
  )
  const found = new Map<string, RegistryAddress>()
  for (const { workspace, owner } of answer.operations)
    found.set(JSON.stringify([workspace, owner]), { workspace, owner })
  return [...found.values()]
}
