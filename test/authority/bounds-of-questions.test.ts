import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { kindDefinitionSchema, resolveKind } from '../../src/authority/kinds.ts'
import {
  crossedBounds,
  DEFAULT_POLICY,
  policyOverrideSchema,
  policySchema,
  policyViolations,
  resolvePolicy,
} from '../../src/authority/lifecycle-policy.ts'
import {
  filterQuestionSchema,
  operationsQuestionSchema,
  ownersQuestionSchema,
  ratesQuestionSchema,
  storyQuestionSchema,
} from '../../src/authority/monitoring.ts'
import { operationFilterSchema, registryFilterSchema } from '../../src/authority/monitoring-filters.ts'

const text = (length: number) => 'x'.repeat(length)
const many = (length: number) => Array.from({ length }, (_, i) => `v${i}`)
const labels = (length: number) => Object.fromEntries(many(length).map((name) => [name, '1']))

/** What still passes, and what no longer does, with the place that is named. */
type Bound = readonly [name: string, schema: z.ZodType, passes: readonly object[], refused: readonly object[]]

const texts = (name: string): readonly [object[], object[]] => [
  [{ [name]: ['x'] }, { [name]: [text(128)] }, { [name]: many(50) }],
  [{ [name]: [] }, { [name]: [''] }, { [name]: [text(129)] }, { [name]: many(51) }],
]
const words = (name: string): readonly [object[], object[]] => [
  [{ [name]: 'x' }, { [name]: text(128) }],
  [{ [name]: '' }, { [name]: text(129) }],
]
const choices = (name: string, all: readonly string[]): readonly [object[], object[]] => [
  [...all.map((one) => ({ [name]: [one] })), { [name]: all }],
  [{ [name]: [] }, { [name]: ['other'] }, { [name]: [...all, all[0]] }],
]
const ranges = (name: string): readonly [object[], object[]] => [
  [{ [name]: {} }, { [name]: { from: 1 } }, { [name]: { until: 1 } }, { [name]: { from: 1, until: 2 } }],
  [{ [name]: { from: 2, until: 2 } }, { [name]: { from: 1.5 } }, { [name]: { since: 1 } }],
]
const switches = (name: string): readonly [object[], object[]] => [
  [{ [name]: true }, { [name]: false }],
  [{ [name]: 1 }],
]

const STATUSES = [
  'provisioning',
  'running',
  'retiring',
  'completed',
  'failed',
  'aborted',
  'cancelled',
  'retired',
  'terminated',
]
const REASONS = [
  'run.stale_queued',
  'run.stale_running',
  'run.stale_retiring',
  'run.stalled',
  'run.deadline_exceeded',
  'run.cancel_ignored',
  'run.infrastructure_timeout_or_abandonment',
  'run.queue_failure_bridge',
  'run.never_enqueued',
  'run.adapter_out_of_sync',
]
const FRESHNESS = ['fresh', 'late', 'likely_stale', 'reconciled', 'terminal', 'no_policy']
const address = { workspace: 'w', owner: 'o', id: 'a' }
const span = { fromAt: 0, untilAt: 1, step: 'hour' }

// biome-ignore format: a table, one line a bound
const BOUNDS: readonly Bound[] = [
  ...['workspaces', 'owners', 'kinds', 'ids'].map((name): Bound => [name, operationFilterSchema, ...texts(name)]),
  ...['key', 'text', 'retryOf'].map((name): Bound => [name, operationFilterSchema, ...words(name)]),
  ...['registered', 'started', 'ended', 'activity'].map((name): Bound => [name, operationFilterSchema, ...ranges(name)]),
  ...['attention', 'active', 'reconciled', 'contradicted'].map((name): Bound => [name, operationFilterSchema, ...switches(name)]),
  ['statuses', operationFilterSchema, ...choices('statuses', STATUSES)],
  ['resultClasses', operationFilterSchema, ...choices('resultClasses', ['running', 'completed', 'failed', 'cancelled'])],
  ['reasonCodes', operationFilterSchema, ...choices('reasonCodes', REASONS)],
  ['freshness', operationFilterSchema, ...choices('freshness', FRESHNESS)],
  ['problemClasses', operationFilterSchema, ...choices('problemClasses', ['active_attention', 'terminal_follow_up', 'none'])],
  ['labels', operationFilterSchema, [{ labels: labels(1) }, { labels: labels(8) }], [{ labels: {} }, { labels: labels(9) }, { labels: { a: 1 } }]],
  ['attemptAtLeast', operationFilterSchema, [{ attemptAtLeast: 1 }, { attemptAtLeast: 2 }], [{ attemptAtLeast: 0 }]],
  ['an unknown name', operationFilterSchema, [{}], [{ other: 1 }]],
  ...['workspaces', 'owners'].map((name): Bound => [`${name} of registries`, registryFilterSchema, ...texts(name)]),
  ['text of registries', registryFilterSchema, ...words('text')],
  ...['active', 'waiting', 'retired'].map((name): Bound => [`${name} of registries`, registryFilterSchema, ...switches(name)]),
  ['a page', operationsQuestionSchema, [{ pageSize: 1 }, { pageSize: 1_000 }, { pageToken: 'x' }], [{ pageSize: 0 }, { pageSize: 1_001 }, { pageToken: '' }]],
  ['an order', operationsQuestionSchema, [{ sort: 'most_overdue', withFacets: true, filter: {} }], [{ sort: 'other' }, { filter: { other: 1 } }]],
  ['a position', filterQuestionSchema, [{ atLeast: 0n, withLag: true }, { atLeast: 7n }], [{ atLeast: -1n }, { atLeast: 1 }]],
  ['a time to wait', filterQuestionSchema, [{ timeoutMs: 0 }, { timeoutMs: 600_000, filter: {} }], [{ timeoutMs: -1 }, { timeoutMs: 600_001 }]],
  ['a page of owners', ownersQuestionSchema, [{ pageSize: 1, sort: 'owner', filter: {}, timeoutMs: 1 }], [{ pageSize: 0 }, { sort: 'other' }, { filter: { key: 'x' } }]],
  ['an address', storyQuestionSchema, [address], [{ ...address, workspace: '' }, { ...address, owner: '' }, { ...address, id: '' }, {}]],
  ['a page of a story', storyQuestionSchema, [{ ...address, number: 0, after: -1, limit: 1, timeoutMs: 1 }, { ...address, number: 1, after: 0, limit: 1_000 }], [{ ...address, number: -1 }, { ...address, after: -2 }, { ...address, limit: 0 }, { ...address, limit: 1_001 }]],
  ['rates', ratesQuestionSchema, [span, { ...span, workspaces: ['w'], kinds: ['k'], withLag: true }, { ...span, workspaces: many(1_000), kinds: many(50) }, ...['minute', '5 minutes', 'day'].map((step) => ({ ...span, step }))], [{}, { ...span, step: 'week' }, { ...span, workspaces: [] }, { ...span, workspaces: [''] }, { ...span, kinds: [] }, { ...span, kinds: [''] }, { ...span, workspaces: many(1_001) }, { ...span, kinds: many(51) }]],
  ['a kind', kindDefinitionSchema, [{ phases: ['p', 'long'], expectsPeer: true, feed: 'emit', wakeOwner: true, retention: 'retain' }, { feed: 'suppress', retention: 'discard', policy: { cancelGraceMs: 0 } }], [{ phases: [''] }, { feed: '' }, { retention: '' }, { other: 1 }]],
  ['bounds of a kind', kindDefinitionSchema, [{ bounds: { staleAfterMs: { minMs: 0, maxMs: 0 } } }, { bounds: { staleAfterMs: { minMs: 1, maxMs: 2 } } }], [{ bounds: { staleAfterMs: { minMs: -1 } } }, { bounds: { staleAfterMs: { maxMs: -1 } } }, { bounds: { staleAfterMs: { least: 1 } } }, { bounds: { other: {} } }]],
]

describe('what may be asked is bounded, and refused from the very bound on', () => {
  test.each(BOUNDS)('%s', (_name, schema, passes, refused) => {
    for (const one of passes) expect([one, schema.safeParse(one).success]).toEqual([one, true])
    for (const one of refused) expect([one, schema.safeParse(one).success]).toEqual([one, false])
  })

  test('and told in words', () => {
    const said = (filter: object) => operationFilterSchema.safeParse(filter).error?.issues[0]?.message
    expect(said({ ended: { from: 2, until: 1 } })).toBe('expected from to be before until')
    expect(said({ labels: {} })).toBe('expected 1 to 8 labels')
  })
})

describe('a policy', () => {
  const backoff = (change: object) => ({ retry: { backoff: { ...DEFAULT_POLICY.retry.backoff, ...change } } })
  const queue = (change: object) => ({ queue: { retryAfterMs: 1, safetyMarginMs: 0, workerStopWaitMs: 0, ...change } })
  const passes = [
    { staleAfterMs: 1, provisioningTimeoutMs: null, cancelGraceMs: 0, maxRuntimeMs: null },
    { retry: { maxAttempts: 1, owner: 'queue' } },
    { retry: { owner: 'verdict' } },
    backoff({ factor: 1, jitter: 0, initialMs: 0 }),
    backoff({ factor: 9.5, jitter: 1 }),
    queue({}),
    queue({ jobTimeoutMs: 1 }),
    { queue: null },
  ]
  const refused = [
    { staleAfterMs: 0 },
    { cancelGraceMs: -1 },
    { maxRuntimeMs: 0 },
    { retry: { maxAttempts: 0 } },
    { retry: { owner: '' } },
    backoff({ factor: 0.9 }),
    backoff({ jitter: -0.1 }),
    backoff({ jitter: 1.1 }),
    backoff({ other: 1 }),
    { retry: { backoff: { factor: 2 } } },
    queue({ retryAfterMs: 0 }),
    queue({ other: 1 }),
    { queue: {} },
    { other: 1 },
  ]
  test('takes the numbers that mean something, and no others', () => {
    for (const one of passes) {
      expect([one, policyOverrideSchema.safeParse(one).success]).toEqual([one, true])
      const whole = resolvePolicy(DEFAULT_POLICY, policyOverrideSchema.parse(one))
      expect([one, policySchema.safeParse(whole).success]).toEqual([one, true])
    }
    for (const one of refused) expect([one, policyOverrideSchema.safeParse(one).success]).toEqual([one, false])
    const { retry: _left, ...rest } = DEFAULT_POLICY
    expect(policySchema.safeParse(rest).success).toBe(false)
  })

  test('keeps what a wish leaves open', () => {
    expect(resolvePolicy(DEFAULT_POLICY, { cancelGraceMs: undefined })).toStrictEqual(DEFAULT_POLICY)
    expect(resolvePolicy(DEFAULT_POLICY, { retry: { maxAttempts: 2 } }).retry).toStrictEqual({
      ...DEFAULT_POLICY.retry,
      maxAttempts: 2,
    })
    expect(resolveKind({}, 'k', 'none').violations).toEqual([])
    expect(resolveKind({}, 'k', { cancelGraceMs: 1 }).policy?.lateAfterMs).toBe(DEFAULT_POLICY.lateAfterMs)
  })

  test('B5: holds exactly up to its bounds, and says in one sentence where it does not', () => {
    const told = (change: Partial<typeof DEFAULT_POLICY>) => policyViolations('k', { ...DEFAULT_POLICY, ...change })
    const { retry } = DEFAULT_POLICY
    expect(told({ lateAfterMs: 300_000 })).toEqual([])
    expect(told({ retry: { ...retry, backoff: { ...retry.backoff, initialMs: 300_000 } } })).toEqual([])
    expect(told({ heartbeatIntervalMs: 149_500 })).toStrictEqual([
      {
        kind: 'k',
        rule: '2 x heartbeatIntervalMs + 1000 < staleAfterMs',
        numbers: { heartbeatIntervalMs: 149_500, staleAfterMs: 300_000 },
        message:
          'policy of kind "k": 2 x heartbeatIntervalMs + 1000 < staleAfterMs does not hold (heartbeatIntervalMs = 149500, staleAfterMs = 300000): raise staleAfterMs, or send heartbeats more often',
      },
    ])
    expect(crossedBounds('k', { staleAfterMs: { minMs: 2, maxMs: 2 }, cancelGraceMs: { minMs: 3 } })).toEqual([])
    expect(crossedBounds('k', { staleAfterMs: { minMs: 3, maxMs: 2 } })).toStrictEqual([
      {
        kind: 'k',
        rule: 'the least staleAfterMs <= the largest',
        numbers: { minMs: 3, maxMs: 2 },
        message:
          'bounds of kind "k": the least staleAfterMs <= the largest does not hold (min = 3, max = 2): lower the one, or raise the other',
      },
    ])
  })
})
