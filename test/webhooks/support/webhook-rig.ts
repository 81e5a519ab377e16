import path from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { EmbeddedVerdict } from '../../../src/app/embedded-verdict.ts'
import { MEMORY_LOCATION } from '../../../src/app/log-of-node.ts'
import { openNode } from '../../../src/app.ts'
import { type SettingsInput, settingsOf } from '../../../src/config.ts'
import { type Clock, SYSTEM_CLOCK } from '../../../src/runtime/clock.ts'
import type { HandMovedClock } from '../../../src/runtime/hand-moved-clock.ts'
import { openWebhookDatabase } from '../../../src/subscriptions/webhook-database.ts'
import { WebhookDesk } from '../../../src/subscriptions/webhook-desk.ts'
import { WebhookClient } from '../../../src/subscriptions/webhook-post.ts'
import { Webhooks } from '../../../src/subscriptions/webhooks.ts'
import { freshFolder } from '../../client/support/opened-verdict.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import type { Receiver } from './receiver.ts'

export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

export interface WebhookRigOptions {
  readonly clock?: HandMovedClock
  readonly settings?: SettingsInput
  readonly location?: string
  /** Of the webhooks. */
  readonly file?: string
}

/** A log with its API, and webhooks that follow it in this thread, so that a test may move their clock. */
export async function webhookRig(options: WebhookRigOptions = {}) {
  const { clock: handMoved, settings, location = MEMORY_LOCATION } = options
  const { file = path.join(freshFolder(), 'webhooks.db') } = options
  const clock: Clock = handMoved ?? SYSTEM_CLOCK
  const log = new RecordingLog()
  const node = await openNode(location, { log, clock, reconciler: false })
  const verdict = new EmbeddedVerdict(node, { log, clock })
  const client = new WebhookClient()
  const all = settingsOf({ projectionRetryMs: 10, ...settings })
  const database = openWebhookDatabase(file, 'at_once')
  const desk = new WebhookDesk({ database, reader: node.store, settings: all, post: client.post, clock, log })
  let holders = 0
  const begin = () => {
    const webhooks = new Webhooks({
      path: file,
      reader: node.store,
      endpoints: [],
      settings: all,
      post: client.post,
      holder: `holder-${holders++}`,
      clock,
      random: () => 0,
      log,
    })
    webhooks.start()
    onTestFinished(() => webhooks.close())
    return webhooks
  }
  // Registered first, run last: the log is closed behind those who follow it.
  onTestFinished(async () => {
    desk.close()
    client.close()
    await verdict.close({ grace: 0 })
  })
  return {
    node,
    verdict,
    desk,
    log,
    file,
    clock,
    begin,
    async endpoint(id: string, receiver: Pick<Receiver, 'url'>, more: object = {}) {
      return desk.add({ id, url: receiver.url, secrets: [SECRET], allowPrivateAddresses: true, ...more })
    },
    /** Standings of deliveries, the oldest first. */
    standings: (endpoint?: string) =>
      [...desk.deliveries({ endpoint, limit: 1_000 })].reverse().map(({ standing }) => standing),
    /** Ends when what is asked holds; what is due by a clock that stands still is done meanwhile. */
    until: (holds: () => void) =>
      vi.waitFor(
        async () => {
          await handMoved?.advance(0)
          holds()
        },
        { timeout: 30_000, interval: 5 },
      ),
  }
}
