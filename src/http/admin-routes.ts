/** What operators did, what they were denied, which keys came and went: for auditors of the whole log. */
import { z } from 'zod'
import { adminEventsSchema } from '../wire/admin-wire.ts'
import { type Endpoint, ok } from './endpoint.ts'
import { assertEverywhere } from './operation-address.ts'
import { wholeNumber } from './query-values.ts'

const PAGE_EVENTS = 50
const PAGE_EVENTS_MAX = 1_000

const query = z.strictObject({
  after: wholeNumber.optional().meta({ description: 'The revision of the last event that was seen.' }),
  limit: wholeNumber.optional().meta({ description: `Default ${PAGE_EVENTS}, at most ${PAGE_EVENTS_MAX}.` }),
})

export const ADMIN_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/admin/events',
    scope: 'server',
    id: 'getAdminEvents',
    tag: 'Admin',
    summary: 'The chained record of what is about no owner: orders, keys, denied actions; oldest first',
    description: 'With `Prefer: wait` as soon as there is something.',
    right: 'audit',
    isWaiting: true,
    query,
    answers: { 200: { description: 'A page, and how to get the next.', schema: adminEventsSchema } },
    refusals: ['store_unavailable'],
    handle: async (call, { adminEvents, polls }) => {
      assertEverywhere(call.principal, 'audit')
      const { after = -1, limit = PAGE_EVENTS } = call.query as z.infer<typeof query>
      const count = Math.min(Math.max(limit, 1), PAGE_EVENTS_MAX)
      return ok(await polls.during(call, (over) => adminEvents(after, count, over)))
    },
  },
]
