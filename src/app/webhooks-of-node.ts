/** The webhooks of a node: where their file lies, the thread that sends them, and the desk for operators. */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newLeaseHolder } from '../../projections/lease-holder.ts'
import { type Settings, SettingsError } from '../config.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { openWebhookDatabase } from '../subscriptions/webhook-database.ts'
import { WebhookDesk } from '../subscriptions/webhook-desk.ts'
import {
  type CheckedEndpoint,
  checkedEndpoint,
  type WebhookEndpointOptions,
} from '../subscriptions/webhook-endpoint.ts'
import { WebhookError } from '../subscriptions/webhook-error.ts'
import { WebhookClient } from '../subscriptions/webhook-post.ts'
import { WebhookSide } from '../subscriptions/webhook-side.ts'
import { settleEndpoints } from '../subscriptions/webhooks.ts'
import type { LogForThreads } from './log-for-threads.ts'
import type { LogPlace } from './log-of-node.ts'
import { startThread } from './start-thread.ts'

export interface WebhookOptions {
  /** Beside those that were added by command; what is not named here any more goes. */
  readonly endpoints?: readonly WebhookEndpointOptions[]
  /** The file of endpoints and deliveries. Default: `<log>-webhooks` beside a log on disk; a log on a server needs one. */
  readonly path?: string
}

export interface WebhooksOfNode {
  /** What operators ask and order; opened when it is first asked, in this file where options name none. */
  desk(path?: string): WebhookDesk
  close(): Promise<void>
}

/** Options that were looked at. */
export interface CheckedWebhooks {
  readonly endpoints: readonly CheckedEndpoint[]
  readonly file: WebhookFile
}

interface WebhookFile {
  readonly path: string
  /** Made for a log in memory, and gone with it: its folder. */
  readonly temporary?: string
}

/** Before anything is opened. Throws SettingsError. */
export function checkedWebhooks(place: LogPlace, options: WebhookOptions | undefined): CheckedWebhooks | undefined {
  if (options === undefined) return undefined
  const { endpoints = [], path } = options
  const ids = endpoints.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined) throw new SettingsError(`webhooks.endpoints: there are two with the id "${twice}"`)
  try {
    return { endpoints: endpoints.map(checkedEndpoint), file: fileOf(place, path) }
  } catch (error) {
    if (error instanceof WebhookError) throw new SettingsError(`webhooks.endpoints: ${error.message}`)
    throw error
  }
}

export interface WebhooksParts {
  readonly store: EventStore
  readonly place: LogPlace
  readonly settings: Settings
  readonly clock: Clock
  readonly log: WarningLog
  readonly threads: LogForThreads
}

/** Sends from now on, where there are options; what happens behind this is told. */
export async function webhooksOf(parts: WebhooksParts, options: CheckedWebhooks | undefined): Promise<WebhooksOfNode> {
  const { store, place, settings, clock, log, threads } = parts
  const side = options === undefined ? undefined : sideOf(options)
  if (options !== undefined) {
    const database = openWebhookDatabase(options.file.path, 'at_once')
    try {
      await settleEndpoints(database, store, options.endpoints, clock.now())
    } finally {
      database.close()
    }
  }
  side?.start()
  let file = options?.file
  let opened: { readonly desk: WebhookDesk; readonly client: WebhookClient } | undefined
  return {
    desk(asked?: string) {
      file ??= fileOf(place, asked)
      opened ??= openDesk(file.path)
      return opened.desk
    },
    async close() {
      await side?.close()
      opened?.desk.close()
      opened?.client.close()
      if (file?.temporary !== undefined) rmSync(file.temporary, { recursive: true, force: true })
    },
  }

  function sideOf({ file: { path }, endpoints }: CheckedWebhooks): WebhookSide {
    return new WebhookSide({
      path,
      endpoints,
      settings,
      holder: newLeaseHolder(),
      drainMs: settings.webhookDrainMs,
      log,
      startThread: (data) => startThread('webhook-thread', 'webhooks', data),
      placeOfLog: () => threads.placeOfLog(),
    })
  }

  function openDesk(path: string) {
    const client = new WebhookClient()
    const database = openWebhookDatabase(path, 'at_once')
    return { client, desk: new WebhookDesk({ database, reader: store, settings, post: client.post, clock, log }) }
  }
}

function fileOf(place: LogPlace, path: string | undefined): WebhookFile {
  if (path !== undefined) return { path }
  switch (place.type) {
    case 'file':
      return { path: `${place.path}-webhooks` }
    case 'memory': {
      const temporary = join(tmpdir(), `verdict-webhooks-${randomUUID()}`)
      return { path: join(temporary, 'webhooks.db'), temporary }
    }
    case 'eventstoredb':
      throw new SettingsError('webhooks.path: webhooks of a log on a server need a file of their own that stays')
    default:
      return place satisfies never
  }
}
