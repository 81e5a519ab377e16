/** What operators told the reconciler, as it is on record. */
import { decodeLogEvent } from '../../../src/event-store/event-codec.ts'
import { ADMIN_STREAM } from '../../../src/event-store/stream-names.ts'
import type { ServedVerdict } from '../../../src/serve.ts'

export async function ordersIn({ node }: ServedVerdict) {
  const orders = []
  for await (const stored of node.store.readStream(ADMIN_STREAM, { from: 1 })) {
    const { event, metadata } = decodeLogEvent(stored)
    // Keys are on the same record.
    if (!event.type.startsWith('Reconciler')) continue
    orders.push({ type: event.type, facts: event.facts, content: event.content, actor: metadata.actor })
  }
  return orders
}
