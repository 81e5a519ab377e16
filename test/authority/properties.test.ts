import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Command } from '../../src/authority/commands.ts'
import { decide } from '../../src/authority/decide.ts'
import type { Limits, RecordedEvent } from '../../src/authority/events.ts'
import { step } from '../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../src/authority/registry.ts'
import { isTerminal } from '../../src/authority/status.ts'
import { limits, recordedEvents, stampedWish, wishes } from './support/random-history.ts'
import { boundBreaches, historyBreaches, stateBreaches, stepBreaches } from './support/registry-invariants.ts'

describe('whatever is sent to a registry of six operations', () => {
  test('A2, A4, A5, A12, A15, A17: every invariant holds after every step', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), (given, sent, seed) => {
        const history: RecordedEvent[] = []
        const completions: string[] = []
        let state = EMPTY_REGISTRY
        for (const [i, wish] of sent.entries()) {
          const stamped = stampedWish(wish, state, i, given, seed)
          const before = state
          const decision = decide(before, stamped)
          if (decision.type !== 'accepted') {
            expect(decide(before, stamped)).toEqual(decision)
            continue
          }
          for (const recorded of recordedEvents(state, stamped, decision)) {
            const stepped = step(state, recorded)
            expect(stepBreaches(state, recorded, stepped.effects, stepped.state)).toEqual([])
            for (const effect of stepped.effects) if (effect.type === 'NotifyWatchers') completions.push(effect.id)
            state = stepped.state
            history.push(recorded)
          }
          expect([...stateBreaches(state), ...boundBreaches(state)]).toEqual([])
          admissionHolds(before, state, stamped.command, given)
          retentionHolds(state, completions)
          if (given.commandMemory.max > 0) {
            expect(decide(state, stamped).type).toBe('remembered')
            expect(decide(state, { ...stamped, digest: 'other' })).toMatchObject({
              rejection: { code: 'command_id_reused' },
            })
          }
        }
        expect(historyBreaches(history, state)).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Said again in other words: a registration takes one free slot, and nobody else takes any. */
function admissionHolds(before: RegistryState, after: RegistryState, command: Command, given: Limits): void {
  const taken = after.activeCount - before.activeCount
  if (command.type !== 'RegisterOperation') expect(taken).toBeLessThanOrEqual(0)
  else expect(taken === 0 || before.activeCount < Math.min(given.maxConcurrent ?? 1e9, given.activeCeiling)).toBe(true)
}

/** The retained ones are the newest completions, in the order in which they completed. */
function retentionHolds(state: RegistryState, completions: readonly string[]): void {
  const retained = [...state.retained]
  const kept = completions.filter((one, i) => completions.lastIndexOf(one) === i && retained.includes(one))
  expect(retained).toEqual(kept)
  for (const one of retained) expect(isTerminal(state.operations.get(one)?.status ?? 'absent')).toBe(true)
}
