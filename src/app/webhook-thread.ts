/** Entry of the thread of webhooks: follows the log, writes the outbox, sends. What it waits for holds up nobody else. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { SYSTEM_CLOCK } from '../runtime/clock.ts'
import { answerCalls } from '../subscriptions/thread-calls.ts'
import { WebhookClient } from '../subscriptions/webhook-post.ts'
import type { WebhookNews, WebhookThreadData } from '../subscriptions/webhook-side.ts'
import { Webhooks } from '../subscriptions/webhooks.ts'
import { loadLibraries, openThreadLog } from './thread-log.ts'

function run(port: MessagePort, { path, log: place, endpoints, settings, holder }: WebhookThreadData): void {
  loadLibraries()
  // Where it fails the thread fails, and is started again.
  const opening = open()
  const calls = answerCalls(port, {}, async ({ drainMs }: { readonly drainMs: number }) => (await opening)(drainMs))

  async function open(): Promise<(drainMs: number) => Promise<void>> {
    const reader = await openThreadLog(place, settings.logPollMs)
    const client = new WebhookClient()
    const warn = (facts: object, message: string) =>
      calls.tell({ type: 'warning', facts: { ...facts }, message } satisfies WebhookNews)
    const webhooks = new Webhooks({
      path,
      reader,
      endpoints,
      settings,
      holder,
      post: client.post,
      clock: SYSTEM_CLOCK,
      random: Math.random,
      log: { warn },
    })
    webhooks.start()
    return async (drainMs) => {
      await webhooks.drain(drainMs)
      await webhooks.close()
      client.close()
      await reader.close()
    }
  }
}

if (parentPort) run(parentPort, workerData as WebhookThreadData) // webhook-side.ts gives exactly these
