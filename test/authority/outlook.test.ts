import { describe, expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import { type OutlookParts, outlookOf } from '../../src/authority/outlook.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const ADDRESS = { workspace: 'w', owner: 'o' }
const RECONCILER = { mode: 'enforce', isHeld: false, isAway: false } as const
const kinds: OutlookParts['kinds'] = { k: { policy: { maxRuntimeMs: 7_000, retry: { maxAttempts: 3 } } } }
const error = { message: 'broken' }
const empty = specification({ kinds, at: 1_000 })
const queued = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k' })
const running = queued.given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'worker' } })
const failed = running.given({ type: 'FailOperation', id: 'a', leaseEpoch: 2, error })
const asked = running.given({ type: 'RequestCancel', id: 'a', deadlineAt: 3_000 })
const verdict = {
  evidence: { rule: 'runtime', attempt: 1, lastRevision: 2, judgedAt: 8_000, graceMs: 0 },
  reasonCode: 'run.deadline_exceeded',
  disposition: { type: 'fail' },
} as const

const outlook = (at: Specification, more: Partial<OutlookParts> = {}) => {
  const operation = at.state.operations.get('a')
  if (operation === undefined) throw new Error('it is there')
  const parts = {
    operation,
    state: at.state,
    kinds,
    now: at.at,
    graceMs: 5,
    reconciler: RECONCILER,
    verdict: undefined,
  }
  return outlookOf(ADDRESS, { ...parts, ...more })
}
/** What may be done, and why the rest may not. */
const actions = (at: Specification, more?: Partial<OutlookParts>) =>
  outlook(at, more).actions.map(({ action, isLegal, refusal }) =>
    isLegal ? action : `${action}: ${refusal?.code}: ${refusal?.message}`,
  )

describe('the outlook of an operation', () => {
  test('tells who it is, what judges it, when, and what follows', () => {
    const { actions: _told, origins: _also, ...rest } = outlook(asked)
    expect(rest).toStrictEqual({
      workspace: 'w',
      owner: 'o',
      id: 'a',
      number: 1,
      status: 'running',
      attempt: 1,
      policy: { ...DEFAULT_POLICY, maxRuntimeMs: 7_000, retry: { ...DEFAULT_POLICY.retry, maxAttempts: 3 } },
      deadlines: [
        { rule: 'first_sign', sinceAt: 1_000, deadlineAt: 86_401_000 },
        { rule: 'runtime', sinceAt: 1_000, deadlineAt: 8_000 },
        { rule: 'cancel', sinceAt: 3_000, deadlineAt: 3_000 },
      ],
      earliest: { rule: 'cancel', sinceAt: 3_000, deadlineAt: 3_000 },
      graceMs: 5,
      reconciler: RECONCILER,
      waits: [],
      contradictions: [],
    })
    expect(outlook(failed)).not.toHaveProperty('earliest')
    expect(outlook(running, { verdict, now: 8_000 }).verdict).toBe(verdict)
  })

  test('tells who waits for it and goes on', () => {
    const waiting = running.given({ type: 'BeginWaitAll', waitId: 'v', ids: ['a'] })
    expect(outlook(waiting).waits).toMatchObject([{ waitId: 'v', members: [{ id: 'a', number: 1 }] }])
    const operation = waiting.state.operations.get('a')
    if (operation === undefined) throw new Error('it is there')
    expect(outlook(running, { operation }).waits).toEqual([])
  })

  test('tells of each number where it comes from', () => {
    const own = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k', policy: { cancelGraceMs: 9 } })
    const { origins } = outlook(own)
    expect(Object.keys(origins).sort()).toEqual(
      [
        ...Object.keys(DEFAULT_POLICY).filter((name) => name !== 'retry'),
        ...['maxAttempts', 'backoff.initialMs', 'backoff.factor', 'backoff.maxMs', 'backoff.jitter', 'owner'].map(
          (name) => `retry.${name}`,
        ),
      ].sort(),
    )
    expect(Object.entries(origins).filter(([, origin]) => origin !== 'default')).toEqual([
      ['maxRuntimeMs', 'kind'],
      ['cancelGraceMs', 'operation'],
      ['retry.maxAttempts', 'kind'],
    ])
    const unjudged = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k', policy: 'none' })
    expect(outlook(unjudged)).toMatchObject({ policy: null, origins: {}, deadlines: [] })
  })
})

describe('what an operator may do', () => {
  const untimely =
    'reconcile: evidence_outdated: no deadline of operation a has passed: there is nothing to judge it by'
  const alive = 'retry: illegal_transition: operation a goes on: there is nothing to try again'

  test('is asked of the law', () => {
    expect(actions(queued)).toEqual(['cancel', 'force-cancel', untimely, alive])
    expect(actions(running)).toEqual(['cancel', 'force-cancel', untimely, alive])
    expect(actions(asked)).toEqual([
      'cancel: already_requested: a cancel of operation a is asked for already',
      'force-cancel',
      untimely,
      alive,
    ])
    expect(actions(failed)).toEqual([
      'cancel: already_terminal: RequestCancel refused: operation a is failed',
      'force-cancel: already_terminal: CancelOperation refused: operation a is failed',
      'reconcile: already_terminal: operation a has ended',
      'retry',
    ])
  })

  test('is a verdict where one may be spoken', () => {
    expect(actions(running, { verdict, now: 8_000.9 })).toEqual(['cancel', 'force-cancel', 'reconcile', alive])
    expect(actions(running, { verdict, now: 7_999.9 })[2]).toBe(
      'reconcile: evidence_outdated: operation a moved on since it was judged',
    )
  })

  test('is no retry where nothing may begin', () => {
    const retired = failed.given({ type: 'RetireOwner', reason: 'gone' })
    expect(actions(retired)[3]).toBe('retry: owner_retired: RegisterOperation refused: the owner is retired')
    const full = failed.given({ type: 'ChangeLimits', limits: { maxConcurrent: 0 } })
    expect(actions(full)[3]).toBe('retry: max_concurrent_exceeded: 0 operations are active, at most 0 may be')
  })

  test('is only a retry where another operation has its id', () => {
    const old = failed.state.operations.get('a')
    const later = specification({ kinds, at: 1_000 }).given(
      { type: 'RegisterOperation', id: 'b', kind: 'k' },
      { type: 'RegisterOperation', id: 'a', kind: 'k' },
    )
    const gone = 'not_found: the id a names another operation (#2) by now'
    const of = { operation: old as NonNullable<typeof old> }
    expect(actions(later, of)).toEqual([`cancel: ${gone}`, `force-cancel: ${gone}`, `reconcile: ${gone}`, 'retry'])
    const buried = later.given({ type: 'CancelOperation', id: 'a' }, { type: 'CollectCompleted' })
    expect(outlookOf(ADDRESS, { ...parts(buried), ...of }).actions[0]?.refusal?.code).toBe('not_found')
    expect(outlookOf(ADDRESS, { ...parts(empty), ...of }).actions[1]?.refusal).toEqual({
      code: 'not_found',
      message: 'CancelOperation refused: there is no operation a',
    })
  })
})

function parts({ state, at }: Specification): Omit<OutlookParts, 'operation'> {
  return { state, kinds, now: at, graceMs: 0, reconciler: RECONCILER, verdict: undefined }
}
