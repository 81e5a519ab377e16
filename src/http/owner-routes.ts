/** An owner as a whole. */
import { overviewSchema } from '../wire/operation-wire.ts'
import { type Endpoint, ok } from './endpoint.ts'

export const OWNER_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '',
    scope: 'owner',
    id: 'getOwner',
    tag: 'Owners',
    summary: 'An owner: limits, and how much is active, retained and waited for',
    right: 'read',
    answers: { 200: { description: 'Also of one that nothing was ever registered for.', schema: overviewSchema } },
    handle: async (call, host) => ok(await host.door.overview(call.registry)),
  },
]
