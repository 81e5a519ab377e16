import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LifecycleEvent, RecordedEvent } from '../../src/authority/events.ts'
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
