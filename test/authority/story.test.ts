import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DeadlineRule, LifecycleEvent, RecordedEvent } from '../../src/authority/events.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import { livesTouchedBy } from '../../src/authority/operation-life.ts'
import { storyTold } from '../../src/authority/story.ts'
import { historyOf, limits, wishes } from './support/random-history.ts'

const MINUTE = 60_000
const OF = { id: 'a', number: 1 }
const KIND_FACTS = { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null } as const

function recorded(events: readonly (readonly [minute: number, event: LifecycleEvent])[]): readonly RecordedEvent[] {
  const metadata = { commandId: 'c', commandType: 'T', commandDigest: 'd', index: 0, count: 1, actor: 'p', ruleset: 1 }
  return events.map(([minute, event], i) => ({
    revision: i + 1,
    event,
    metadata: { ...metadata, at: minute * MINUTE },
  }))
}

describe('a story', () => {
  test('D8: is told in sentences: attempts, phases, silences, contradictions and what it tries again', () => {
    const evidence = {
      rule: 'sign',
      attempt: 1,
      lastRevision: 3,
      lastSignAt: 3 * MINUTE,
      judgedAt: 9 * MINUTE,
      graceMs: 0,
    } as const
    const reconciliation = { reasonCode: 'run.stale_running', evidence } as const
    const error = { message: 'no route to host' }
    const steps = storyTold(
      recorded([
        [
          0,
          {
            type: 'OperationRegistered',
            facts: {
              id: 'a',
              kind: 'export',
              kindFacts: KIND_FACTS,
              policy: DEFAULT_POLICY,
              retryOf: { id: 'z', number: 0 },
            },
            content: {},
          },
        ],
        [1, { type: 'OperationStarted', facts: { ...OF, attempt: 1, claimant: { id: 'worker-1' } }, content: {} }],
        [2, { type: 'PhaseStarted', facts: { ...OF, phase: 'read', attempt: 1 }, content: {} }],
        [
          3,
          {
            type: 'ProgressReported',
            facts: { ...OF, reports: 3, processed: 5, total: 10 },
            content: { message: 'half' },
          },
        ],
        [8, { type: 'AttentionRaised', facts: { ...OF, attempt: 1, rule: 'sign' }, content: {} }],
        [
          9,
          { type: 'AttemptLost', facts: { ...OF, attempt: 1, notBeforeAt: 9.5 * MINUTE, reconciliation }, content: {} },
        ],
        [10, { type: 'OperationStarted', facts: { ...OF, attempt: 2 }, content: {} }],
        [11, { type: 'OperationFailed', facts: { ...OF, sequence: 1 }, content: { error } }],
        [12, { type: 'ContradictionRecorded', facts: { ...OF, claimed: 'completed' }, content: {} }],
      ]),
    )
    expect(steps.map(({ attempt, sentence }) => [attempt, sentence])).toEqual([
      [undefined, 'Registered, of kind "export". It tries "z" (#0) again.'],
      [1, 'Attempt 1 began, claimed by "worker-1".'],
      [1, 'Phase "read" began.'],
      [1, 'Progress was reported: 5 of 10, 3 reports in one.'],
      [1, 'It fell silent, for longer than its kind allows.'],
      [
        1,
        'Attempt 1 was lost; the next one may begin in 30 s. The worker of this operation gave no sign of life for longer than its kind allows. Nothing had been heard for 6 min.',
      ],
      [2, 'Attempt 2 began.'],
      [2, 'It failed: an error was reported, which stands among its diagnostics.'],
      [2, 'A late report claimed that it had completed; that was refused and changed nothing.'],
    ])
    expect(steps.map(({ diagnostics }) => diagnostics).filter((one) => one !== undefined)).toEqual([
      { message: 'half' },
      { error },
    ])
    expect(steps[5]).toMatchObject({ at: 9 * MINUTE, afterMs: MINUTE, silenceMs: 6 * MINUTE, type: 'AttemptLost' })
  })

  const evidence = { rule: 'sign', attempt: 1, lastRevision: 3, judgedAt: 9 * MINUTE, graceMs: 0 } as const
  const silent = { reasonCode: 'run.stale_running', evidence: { ...evidence, lastSignAt: 3 * MINUTE } } as const
  const error = { message: 'broken' }
  const phase = { ...OF, phase: 'read', attempt: 1 }
  const anyLimits = {} as Extract<LifecycleEvent, { type: 'RegistryLimitsChanged' }>['facts']['limits']
  const rule = (one: DeadlineRule): LifecycleEvent => ({
    type: 'AttentionRaised',
    facts: { ...OF, attempt: 1, rule: one },
    content: {},
  })
  // biome-ignore format: a table, one line a sentence
  const told: readonly (readonly [LifecycleEvent, string])[] = [
    [{ type: 'OperationRegistered', facts: { id: 'a', kind: 'export', kindFacts: KIND_FACTS, policy: null }, content: {} }, 'Registered, of kind "export".'],
    [{ type: 'RegistrationJoined', facts: OF, content: {} }, 'It was asked for again under its key, and that joined it.'],
    [{ type: 'RegistrationRolledBack', facts: OF, content: {} }, 'Its registration was taken back.'],
    [{ type: 'PeerBecameReady', facts: OF, content: { peer: 1 } }, 'Its peer is ready.'],
    [{ type: 'ProgressReported', facts: { ...OF, reports: 1 }, content: {} }, 'Progress was reported.'],
    [{ type: 'ProgressReported', facts: { ...OF, reports: 2 }, content: {} }, 'Progress was reported, 2 reports in one.'],
    [{ type: 'ProgressReported', facts: { ...OF, reports: 1, processed: 5 }, content: {} }, 'Progress was reported: 5.'],
    [{ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1]] }, content: {} }, 'It was heard of.'],
    [{ type: 'PhaseStarted', facts: phase, content: {} }, 'Phase "read" began.'],
    [{ type: 'PhaseCompleted', facts: phase, content: { result: 1 } }, 'Phase "read" was completed.'],
    [{ type: 'PhaseFailed', facts: phase, content: { error } }, 'Phase "read" failed.'],
    [{ type: 'AttemptFailed', facts: { ...OF, attempt: 1, notBeforeAt: 12 * MINUTE }, content: { error } }, 'Attempt 1 failed; the next one may begin in 2 min.'],
    [{ type: 'AttemptFailed', facts: { ...OF, attempt: 1, notBeforeAt: 10 * MINUTE }, content: { error } }, 'Attempt 1 failed; the next one may begin.'],
    [{ type: 'AttemptLost', facts: { ...OF, attempt: 1, notBeforeAt: 0 }, content: {} }, 'Attempt 1 was lost; the next one may begin.'],
    [{ type: 'CancelRequested', facts: { ...OF, deadlineAt: 11 * MINUTE }, content: {} }, 'A cancel was asked for; it is forced in 1 min unless it is followed.'],
    [{ type: 'RetireRequested', facts: OF, content: {} }, 'It was asked to wind down.'],
    [rule('queued'), 'No worker took it in the time that its kind allows.'],
    [rule('first_sign'), 'It was claimed and not heard of since, for longer than its kind allows.'],
    [rule('progress'), 'It was alive and made no progress, for longer than its kind allows.'],
    [rule('runtime'), 'It ran for longer than its kind allows.'],
    [rule('cancel'), 'It did not follow the cancel in time.'],
    [rule('retire'), 'It did not wind down in the time that its kind allows.'],
    [{ type: 'AttentionCleared', facts: { ...OF, attempt: 1, rule: 'sign' }, content: {} }, 'It was heard of again, and needs no attention.'],
    [{ type: 'OperationCompleted', facts: { ...OF, sequence: 1 }, content: { result: 1 } }, 'It completed.'],
    [{ type: 'OperationCancelled', facts: { ...OF, sequence: 1, reconciliation: { ...silent, evidence } }, content: {} }, 'It was cancelled. The reconciler ended it.'],
    [{ type: 'OperationFailed', facts: { ...OF, sequence: 1, reasonCode: 'run.stalled', reconciliation: silent }, content: { error } }, 'It failed. The worker is alive, but made no progress for longer than its kind allows. The reconciler ended it. Nothing had been heard for 6 min.'],
    [{ type: 'OperationAborted', facts: { ...OF, sequence: 1 }, content: {} }, 'It was called off before a worker took it.'],
    [{ type: 'OperationRetired', facts: { ...OF, sequence: 1 }, content: {} }, 'It was wound down as asked.'],
    [{ type: 'OwnerTerminated', facts: { numbers: [1], firstSequence: 1 }, content: { reason: 'over' } }, 'It ended with its owner.'],
    [{ type: 'RegistryOpened', facts: { registryId: 'r', limits: anyLimits }, content: { digestKey: '' } }, 'Something happened to its owner.'],
    [{ type: 'RegistryLimitsChanged', facts: { limits: anyLimits }, content: {} }, 'Something happened to its owner.'],
    [{ type: 'OwnerRetired', facts: {}, content: { reason: 'over' } }, 'Something happened to its owner.'],
    [{ type: 'WaitBegan', facts: { waitId: 'w', mode: 'all', numbers: [1], deadlineAt: 1 }, content: {} }, 'Something happened to its owner.'],
    [{ type: 'WaitExpired', facts: { waitId: 'w' }, content: {} }, 'Something happened to its owner.'],
    [{ type: 'WaitCancelled', facts: { waitId: 'w' }, content: {} }, 'Something happened to its owner.'],
    [{ type: 'CompletedCollected', facts: { fromSequence: 1, throughSequence: 1 }, content: {} }, 'Something happened to its owner.'],
  ]
  test.each(told.map(([event, sentence]) => [sentence, event] as const))(
    'D8: has the sentence: %s',
    (sentence, event) => {
      expect(storyTold(recorded([[10, event]]))[0]?.sentence).toBe(sentence)
    },
  )

  test('D8: tells of a step what is known of it, and no more', () => {
    const steps = storyTold(
      recorded([
        [10, { type: 'RegistrationJoined', facts: OF, content: {} }],
        [9, { type: 'OperationCancelled', facts: { ...OF, sequence: 1 }, content: { reason: 'over' } }],
        [9, { type: 'OperationFailed', facts: { ...OF, sequence: 1 }, content: { error } }],
        [
          9,
          {
            type: 'OperationCompleted',
            facts: { ...OF, sequence: 1, reconciliation: { ...silent, evidence } },
            content: { result: 1 },
          },
        ],
      ]),
    )
    expect(steps.map(({ sentence: _told, type: _type, ...step }) => step)).toStrictEqual([
      { revision: 1, at: 10 * MINUTE },
      { revision: 2, at: 9 * MINUTE, afterMs: 0, diagnostics: { message: 'over' } },
      { revision: 3, at: 9 * MINUTE, afterMs: 0, diagnostics: { error } },
      { revision: 4, at: 9 * MINUTE, afterMs: 0 },
    ])
  })

  test('B10: has a sentence of its own words for every event, in any history', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), (given, sent, seed) => {
        const { history } = historyOf(given, sent, seed)
        for (const number of new Set(history.flatMap((one) => livesTouchedBy(one)))) {
          const life = history.filter((one) => livesTouchedBy(one).includes(number))
          const steps = storyTold(life)
          expect(steps.map(({ revision }) => revision)).toEqual(life.map(({ revision }) => revision))
          for (const { sentence } of steps) {
            expect(sentence).toMatch(/^[A-Z].*\.$/)
            // Reasons of ends and messages of errors.
            expect(sentence).not.toMatch(/\bover\b|: no\b|\bno\./)
          }
        }
      }),
      { numRuns: 60 },
    )
  })
})
