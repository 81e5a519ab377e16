import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type RecordedEvent, RULESET } from '../../src/authority/events.ts'
import { ContradictoryHistory } from '../../src/authority/evolve.ts'
import type { Operation } from '../../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../../src/authority/operation-life.ts'
import { historyOf, limits, wishes } from './support/random-history.ts'

describe('a life folded alone', () => {
  test('B3: is what the registry holds of the operation, for as long as it holds it', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), (given, sent, seed) => {
        const { history, state } = historyOf(given, sent, seed)
        const lives = livesOf(history)
        for (const held of state.operations.values()) {
          expect(comparable(lives.get(held.number))).toEqual(comparable(held))
        }
        for (const { id, number, status, terminalRevision, contradicted } of state.tombstones.values()) {
          const life = lives.get(number)
          expect(life).toMatchObject({ id, number, status, terminalRevision })
          expect(life?.contradictions.map(({ leaseEpoch }) => leaseEpoch ?? null)).toEqual(contradicted)
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, RecordedEvent['event']]>([
    ['before it is born', { type: 'RetireRequested', facts: { id: 'a', number: 3 }, content: {} }],
    ['an event of its registry', { type: 'WaitExpired', facts: { waitId: 'w' }, content: {} }],
  ])('is contradicted by %s', (_what, event) => {
    expect(() => lifeAfter(undefined, { revision: 7, event, metadata: METADATA }, 3)).toThrow(ContradictoryHistory)
  })
})

const METADATA = {
  commandId: 'c',
  commandType: 'T',
  commandDigest: 'd',
  index: 0,
  count: 1,
  at: 1,
  actor: 'p',
  ruleset: RULESET,
}

function livesOf(history: readonly RecordedEvent[]): ReadonlyMap<number, Operation> {
  const lives = new Map<number, Operation>()
  for (const recorded of history) {
    for (const number of livesTouchedBy(recorded)) {
      const after = lifeAfter(lives.get(number), recorded, number)
      if (after === undefined) lives.delete(number)
      else lives.set(number, after)
    }
  }
  return lives
}

/** Waits are the registry's, not the operation's. */
function comparable(operation: Operation | undefined) {
  return { ...operation, waits: undefined, waitedFor: undefined }
}
