/** The kinds of the demo, with little patience, so that a minute shows what takes an hour elsewhere. */
import type { KindOptions } from '../../src/index.ts'

const AGAIN = { initial: '2s', factor: 2, max: '10s', jitter: 0.2 } as const

export const KINDS: Readonly<Record<string, KindOptions>> = {
  export: { phases: ['read', 'transform', 'write'], policy: { staleAfter: '30s' } },
  sync: { policy: { staleAfter: '20s' } },
  tool_call: { policy: { staleAfter: '15s', maxRuntime: '1m' } },
  agent: { phases: ['plan', 'act', 'review'], policy: { staleAfter: '30s', cancelGrace: '10s' } },
  render: { policy: { staleAfter: '10s', retry: { maxAttempts: 2, backoff: AGAIN } } },
  import: { policy: { staleAfter: '30s', progressTimeout: '20s' } },
  report: { policy: { staleAfter: '30s', provisioningTimeout: '5m' } },
  crawl: { policy: { staleAfter: '15s' } },
}

/** One more of a kind than this silent at once, and the breaker holds: few enough that the demo shows one. */
export const BREAKER_OPERATIONS_MAX = 3
