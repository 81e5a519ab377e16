/** Every endpoint of the API. */
import { ADMIN_ENDPOINTS } from './admin-routes.ts'
import { BATCH_ENDPOINTS } from './batch-routes.ts'
import { COMPLETION_ENDPOINTS } from './completion-routes.ts'
import type { Endpoint } from './endpoint.ts'
import { EVENT_ENDPOINTS } from './event-routes.ts'
import { LIFE_ENDPOINTS } from './life-routes.ts'
import { LIST_ENDPOINTS } from './list-routes.ts'
import { OPERATION_ENDPOINTS } from './operation-routes.ts'
import { OUTCOME_ENDPOINTS } from './outcome-routes.ts'
import { OWNER_ENDPOINTS } from './owner-routes.ts'
import { RECONCILER_ENDPOINTS } from './reconciler-routes.ts'
import { SESSION_ENDPOINTS } from './session-routes.ts'
import { VERB_ENDPOINTS } from './verb-routes.ts'
import { WAIT_ENDPOINTS } from './wait-routes.ts'

export const API_ENDPOINTS: readonly Endpoint[] = [
  ...OPERATION_ENDPOINTS,
  ...OUTCOME_ENDPOINTS,
  ...VERB_ENDPOINTS,
  ...BATCH_ENDPOINTS,
  ...WAIT_ENDPOINTS,
  ...COMPLETION_ENDPOINTS,
  ...EVENT_ENDPOINTS,
  ...OWNER_ENDPOINTS,
  ...LIST_ENDPOINTS,
  ...LIFE_ENDPOINTS,
  ...RECONCILER_ENDPOINTS,
  ...SESSION_ENDPOINTS,
  ...ADMIN_ENDPOINTS,
]
