import { describe, expect, test } from 'vitest'
import { judge } from '../../src/authority/freshness.ts'
import { type KindDefinitions, kindDefinitionSchema, kindViolations, resolveKind } from '../../src/authority/kinds.ts'
import {
  boundViolations,
  DEFAULT_POLICY,
  type Policy,
  policyViolations,
  resolvePolicy,
} from '../../src/authority/lifecycle-policy.ts'
import { specification } from '../../src/authority/specification.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('an unknown kind', () => {
  test('is judged patiently, but not never', () => {
    expect(resolveKind({}, 'whatever', undefined)).toEqual({
      kindFacts: { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null },
      policy: {
        provisioningTimeoutMs: 24 * HOUR,
        startGraceMs: 24 * HOUR,
        heartbeatIntervalMs: MINUTE,
        lateAfterMs: 2.5 * MINUTE,
        staleAfterMs: 5 * MINUTE,
        progressTimeoutMs: null,
        maxRuntimeMs: null,
        cancelGraceMs: 30_000,
        retireTimeoutMs: null,
        reconcileDelayMs: 0,
        retry: {
          maxAttempts: 1,
          backoff: { initialMs: 1_000, factor: 2, maxMs: 5 * MINUTE, jitter: 0.2 },
          owner: 'verdict',
        },
        queue: null,
      },
      violations: [],
    })
  })

  test('has no policy only where that is asked for', () => {
    expect(resolveKind({}, 'whatever', 'none').policy).toBeNull()
  })

  test('is not mistaken for something that every object has', () => {
    expect(resolveKind({}, 'toString', undefined).policy).toEqual(DEFAULT_POLICY)
  })
})

describe('a staleAfter that is given alone', () => {
  test('brings its companions along: late at half of it, heartbeats at a third at most, the start grace equal', () => {
    expect(resolvePolicy(DEFAULT_POLICY, { staleAfterMs: 30_000 })).toMatchObject({
      staleAfterMs: 30_000,
      lateAfterMs: 15_000,
      heartbeatIntervalMs: 10_000,
      startGraceMs: 30_000,
    })
  })

  test('leaves what is given beside it', () => {
    const given = { staleAfterMs: 30_000, lateAfterMs: 20_000, startGraceMs: 1_000, heartbeatIntervalMs: 5_000 }
    expect(resolvePolicy(DEFAULT_POLICY, given)).toMatchObject(given)
  })

  test.each([10, 100, 1_000, 30_000, HOUR])('of %i ms contradicts nothing', (staleAfterMs) => {
    expect(policyViolations('k', resolvePolicy(DEFAULT_POLICY, { staleAfterMs }))).toEqual([])
  })
})

describe('timing rules', () => {
  const queue = { retryAfterMs: 100_000, safetyMarginMs: 10_000, workerStopWaitMs: 200_000 }
  const policy = (change: Partial<Policy>): Policy => ({ ...DEFAULT_POLICY, ...change })
  const cases: readonly (readonly [string, Policy, string, Record<string, number>])[] = [
    [
      'two heartbeats and a margin fit into staleAfter',
      policy({ heartbeatIntervalMs: 150_000 }),
      '2 x heartbeatIntervalMs + 1000 < staleAfterMs',
      { heartbeatIntervalMs: 150_000, staleAfterMs: 300_000 },
    ],
    [
      'late comes before stale',
      policy({ lateAfterMs: 300_001 }),
      'lateAfterMs <= staleAfterMs',
      { lateAfterMs: 300_001, staleAfterMs: 300_000 },
    ],
    [
      'the queue does not hand out again what still runs',
      policy({ maxRuntimeMs: 90_000, queue }),
      'maxRuntimeMs < queue.retryAfterMs - queue.safetyMarginMs',
      { maxRuntimeMs: 90_000, retryAfterMs: 100_000, safetyMarginMs: 10_000 },
    ],
    [
      'a stopping worker is given the time of its longest job',
      policy({ maxRuntimeMs: 80_000, queue: { ...queue, workerStopWaitMs: 80_000 } }),
      'queue.workerStopWaitMs > maxRuntimeMs',
      { workerStopWaitMs: 80_000, maxRuntimeMs: 80_000 },
    ],
    [
      'the queue does not hand out again what its own time-out lets run',
      policy({ queue: { ...queue, jobTimeoutMs: 90_000 } }),
      'jobTimeoutMs < queue.retryAfterMs - queue.safetyMarginMs',
      { jobTimeoutMs: 90_000, retryAfterMs: 100_000, safetyMarginMs: 10_000 },
    ],
    [
      'a stopping worker is given the time of what its queue lets run',
      policy({ queue: { ...queue, jobTimeoutMs: 80_000, workerStopWaitMs: 80_000 } }),
      'queue.workerStopWaitMs > jobTimeoutMs',
      { workerStopWaitMs: 80_000, jobTimeoutMs: 80_000 },
    ],
    [
      'the first delay of a retry is its shortest',
      policy({ retry: { ...DEFAULT_POLICY.retry, backoff: { initialMs: 2, factor: 2, maxMs: 1, jitter: 0 } } }),
      'retry.backoff.initialMs <= retry.backoff.maxMs',
      { initialMs: 2, maxMs: 1 },
    ],
  ]

  test.each(cases)('B5: %s, else kind, numbers, rule and way out are named', (_name, wrong, rule, numbers) => {
    const [violation, ...others] = policyViolations('export', wrong)
    expect(others).toEqual([])
    expect(violation).toMatchObject({ kind: 'export', rule, numbers })
    for (const part of ['export', rule, ...Object.values(numbers).map(String)])
      expect(violation?.message).toContain(part)
    expect(violation?.message).toMatch(/: (raise|lower) /)
  })

  test('B5: progress that a node holds back is written before it could pass for none', () => {
    const stuck = policy({ progressTimeoutMs: 1_000 })
    expect(policyViolations('k', stuck, { progressCoalesceMs: 999 })).toEqual([])
    expect(policyViolations('k', stuck, { progressCoalesceMs: 1_000 })).toMatchObject([
      {
        rule: 'progressCoalesceMs < progressTimeoutMs',
        numbers: { progressCoalesceMs: 1_000, progressTimeoutMs: 1_000 },
        message: expect.stringMatching(/: raise progressTimeoutMs, or lower the setting progressCoalesceMs/),
      },
    ])
  })

  test('B5: hold for the defaults, and exactly up to their bound', () => {
    expect(policyViolations('k', DEFAULT_POLICY)).toEqual([])
    expect(policyViolations('k', policy({ heartbeatIntervalMs: 149_499 }))).toEqual([])
    expect(policyViolations('k', policy({ maxRuntimeMs: 89_999, queue }))).toEqual([])
  })

  test('B5: are asked of a whole configuration before anything starts', () => {
    const kinds: KindDefinitions = { good: {}, bad: { policy: { staleAfterMs: 1_000, heartbeatIntervalMs: 900 } } }
    expect(kindViolations(kinds).map(({ kind, rule }) => [kind, rule])).toEqual([
      ['bad', '2 x heartbeatIntervalMs + 100 < staleAfterMs'],
    ])
  })
})

describe('bounds of a kind', () => {
  const violations = (definition: KindDefinitions[string]) =>
    kindViolations({ k: definition }).map(({ message }) => message)

  test('B5: that nothing fits between are told at the start', () => {
    expect(violations({ bounds: { staleAfterMs: { minMs: 600_000, maxMs: 300_000 } } })).toEqual([
      'bounds of kind "k": the least staleAfterMs <= the largest does not hold (min = 600000, max = 300000): lower the one, or raise the other',
    ])
  })

  test('B5: that the kind leaves by itself are told at the start', () => {
    const bounds = { staleAfterMs: { minMs: 60_000 } }
    expect(violations({ policy: { staleAfterMs: 30_000 }, bounds })).toEqual([
      expect.stringContaining('staleAfterMs = 30000 leaves the bounds 60000..'),
    ])
    expect(violations({ policy: { staleAfterMs: 60_000 }, bounds })).toEqual([])
  })

  test('may leave out what the kind does not say: they bound what operations ask for', () => {
    expect(violations({ bounds: { maxRuntimeMs: { maxMs: HOUR } } })).toEqual([])
  })

  test('know every duration and nothing else', () => {
    const bounded = (name: string) => kindDefinitionSchema.safeParse({ bounds: { [name]: { maxMs: 1 } } }).success
    const durations = Object.entries(DEFAULT_POLICY).flatMap(([name, value]) =>
      value === null || typeof value === 'number' ? [name] : [],
    )
    expect(durations.filter((name) => name !== 'queue').filter((name) => !bounded(name))).toEqual([])
    expect(['queue', 'retry', 'staleAfter', 'toString'].filter(bounded)).toEqual([])
  })
})

describe('an operation of its own mind', () => {
  const kinds: KindDefinitions = {
    export: { policy: { staleAfterMs: 60_000 }, bounds: { maxRuntimeMs: { minMs: 1_000, maxMs: HOUR } } },
  }

  test('B16: moves the numbers of its kind within the bounds of its kind', () => {
    const { policy, violations } = resolveKind(kinds, 'export', { maxRuntimeMs: HOUR })
    expect([policy?.maxRuntimeMs, policy?.staleAfterMs, violations]).toEqual([HOUR, 60_000, []])
  })

  test.each([
    [{ maxRuntimeMs: HOUR + 1 }, HOUR + 1],
    [{ maxRuntimeMs: 999 }, 999],
    [{ maxRuntimeMs: null }, 'off'],
  ])('B16: and not beyond: %j', (asked, told) => {
    const [violation] = resolveKind(kinds, 'export', asked).violations
    expect(violation).toMatchObject({ kind: 'export', rule: `1000 <= maxRuntimeMs <= ${HOUR}` })
    expect(violation?.message).toContain(`maxRuntimeMs = ${told}`)
  })

  test('B16: a number that follows another stays within its bounds as well', () => {
    const bounds = { heartbeatIntervalMs: { minMs: 10_000 } }
    expect(resolveKind({ k: { bounds } }, 'k', { staleAfterMs: 9_000 }).violations).toMatchObject([
      { rule: expect.stringContaining('<= heartbeatIntervalMs <='), numbers: { heartbeatIntervalMs: 3_000 } },
    ])
    expect(resolveKind({ k: { bounds } }, 'k', { staleAfterMs: 30_000 }).violations).toEqual([])
  })

  test('B16: bounds that are not named leave a number free', () => {
    expect(boundViolations('k', { ...DEFAULT_POLICY, maxRuntimeMs: 1 }, {})).toEqual([])
  })

  test('B16: what was resolved is stored with it and judges it for life, whatever the configuration says later', () => {
    const before = specification({ kinds }).given({
      type: 'RegisterOperation',
      id: 'a',
      kind: 'export',
      policy: { cancelGraceMs: 77 },
      claim: {},
    })
    const registered = before.history.find(({ event }) => event.type === 'OperationRegistered')
    expect(registered?.event.facts).toMatchObject({ policy: { cancelGraceMs: 77, staleAfterMs: 60_000 } })
    expect(before.when({ type: 'RequestCancel', id: 'a' }).decision).toMatchObject({
      events: [{ type: 'CancelRequested', facts: { deadlineAt: before.at + 77 } }],
    })
  })

  test('B16: alive but without progress it is found stuck; with progress, and without the rule, it is not', () => {
    const registered = (progressTimeoutMs: number | null) =>
      specification()
        .given({ type: 'RegisterOperation', id: 'a', kind: 'k', policy: { progressTimeoutMs }, claim: {} })
        .after(2 * MINUTE)
        .given({ type: 'RecordSigns', signs: [[1, 1_000_000 + 2 * MINUTE]] })
        .after(2 * MINUTE)
    const judged = ({ state, at }: ReturnType<typeof registered>) => {
      const operation = state.operations.get('a')
      if (operation === undefined) throw new Error('a is not there')
      return judge(operation, at, 0)
    }
    const evidence = (at: number) =>
      ({ rule: 'progress', attempt: 1, lastRevision: 3, judgedAt: at, graceMs: 0 }) as const
    const verdict = {
      type: 'ReconcileOperation',
      id: 'a',
      reasonCode: 'run.stalled',
      disposition: { type: 'fail' },
    } as const

    const stuck = registered(3 * MINUTE)
    expect(judged(stuck)).toMatchObject({ freshness: 'likely_stale', rule: 'progress', sinceAt: 1_000_000 })
    expect(stuck.when({ ...verdict, evidence: evidence(stuck.at) }).decision).toMatchObject({
      events: [{ type: 'OperationFailed', facts: { reasonCode: 'run.stalled' } }],
    })

    const moving = stuck.given({ type: 'ReportProgress', id: 'a', leaseEpoch: 2, processed: 1 })
    expect(judged(moving)).toMatchObject({ freshness: 'fresh' })
    expect(moving.when({ ...verdict, evidence: evidence(moving.at) }).decision).toMatchObject({
      type: 'rejected',
      rejection: { code: 'evidence_outdated' },
    })

    expect(judged(registered(null))).toMatchObject({ freshness: 'fresh', rule: 'sign' })
  })
})
