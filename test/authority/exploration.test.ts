import { describe, expect, test } from 'vitest'
import { COMMAND_SCHEMAS } from '../../src/authority/commands.ts'
import { decide } from '../../src/authority/decide.ts'
import type { Effect } from '../../src/authority/effects.ts'
import { EVENT_SCHEMAS } from '../../src/authority/events.ts'
import { step } from '../../src/authority/evolve.ts'
import type { RegistryState } from '../../src/authority/registry.ts'
import { DECISION_REJECTIONS } from '../../src/authority/rejections.ts'
import { type Alphabet, explore, type Figures, type Met, type Rules } from './support/exploration.ts'
import {
  ADMISSION,
  BARRIER,
  LETTING_GO,
  LIFECYCLE,
  MEMORY,
  VERDICTS,
  WAITS,
  WORK,
} from './support/exploration-alphabets.ts'

/** Rules with one fault each, that the invariants must find. */
const FAULTS: readonly (readonly [name: string, breach: string, Alphabet, Partial<Rules>])[] = [
  [
    'a slot that is never freed',
    'activeCount 1 of 0 active operations',
    LIFECYCLE,
    stepping((before, after) => ({ ...after, activeCount: Math.max(before.activeCount, after.activeCount) })),
  ],
  [
    'effects in the wrong order',
    'effects are out of order',
    LIFECYCLE,
    stepping(undefined, (effects) => effects.toReversed()),
  ],
  [
    'an eviction that nobody is told',
    'a left without a word',
    LIFECYCLE,
    stepping(undefined, (effects) => effects.filter(({ type }) => type !== 'EvictRecord')),
  ],
  [
    'an end that nobody is told',
    'a ended without a word',
    LIFECYCLE,
    stepping(undefined, (effects) => effects.filter(({ type }) => type !== 'NotifyWatchers')),
  ],
  [
    'a wait that is never satisfied',
    'wait v is active and ended',
    WAITS,
    stepping((before, after) => ({
      ...after,
      waits: before.waits.size > after.waits.size ? before.waits : after.waits,
    })),
  ],
  [
    'a sequence that is given twice',
    'an end was not told exactly once',
    LIFECYCLE,
    stepping((before, after) => ({ ...after, sequence: before.sequence })),
  ],
  [
    'a key that is never released',
    'the keys are wrong',
    ADMISSION,
    stepping((before, after) => ({ ...after, keys: before.keys.size > after.keys.size ? before.keys : after.keys })),
  ],
  [
    'a second end',
    'contradicts the history before it: a is terminated',
    LIFECYCLE,
    {
      decide(state, stamped) {
        const decision = decide(state, stamped)
        const { command } = stamped
        const ended = command.type === 'CompleteOperation' ? state.operations.get(command.id) : undefined
        if (ended?.outcome === undefined || decision.type !== 'rejected') return decision
        const facts = { id: ended.id, number: ended.number, sequence: state.sequence + 1 }
        return { type: 'accepted', events: [{ type: 'OperationCompleted', facts, content: { result: null } }] }
      },
    },
  ],
]

function stepping(
  state: (before: RegistryState, after: RegistryState) => RegistryState = (_before, after) => after,
  effects: (effects: readonly Effect[]) => readonly Effect[] = (all) => all,
): Partial<Rules> {
  return {
    step(before, recorded) {
      const stepped = step(before, recorded)
      return { state: state(before, stepped.state), effects: effects(stepped.effects) }
    },
  }
}

/**
 * The state space of a registry of two operations, on the real code. One alphabet of all commands would have no end in
 * sight, so there are several, each with the commands that act on each other; each is explored until it is closed or to
 * its depth, and all invariants are asked in every state and at every step. The figures pin the space: a rule that changes
 * changes them, and whoever changes a rule looks at them.
 */
const met: Met = { commands: new Set(), codes: new Set(), events: new Set() }

describe('every state of a registry of two operations', () => {
  const spaces: readonly (readonly [string, Alphabet, Figures])[] = [
    ['lifecycle', LIFECYCLE, { states: 15_454, transitions: 125_136, refusals: 632_110, depth: 10 }],
    ['verdicts', VERDICTS, { states: 77_554, transitions: 419_823, refusals: 1_984_351, depth: 16 }],
    ['work', WORK, { states: 3_680, transitions: 11_801, refusals: 65_479, depth: 12 }],
    ['waits', WAITS, { states: 8_307, transitions: 30_475, refusals: 177_200, depth: 12 }],
    ['the strict barrier', BARRIER, { states: 7_215, transitions: 24_663, refusals: 155_712, depth: 12 }],
    ['admission', ADMISSION, { states: 8_059, transitions: 34_406, refusals: 150_951, depth: 10 }],
    ['letting go', LETTING_GO, { states: 11_587, transitions: 48_065, refusals: 230_023, depth: 16 }],
    ['memory', MEMORY, { states: 55, transitions: 79, refusals: 306, depth: 7 }],
  ]

  test.each(spaces)(
    'G5: keeps every invariant until the space of %s is closed',
    { timeout: 240_000 },
    (_name, alphabet, figures) => {
      expect(explore(alphabet, Number.POSITIVE_INFINITY, met)).toEqual(figures)
    },
  )

  test('G5: together they send every command, meet every refusal and write every event', () => {
    expect([...met.commands].sort()).toEqual(Object.keys(COMMAND_SCHEMAS).sort())
    expect([...met.codes].sort()).toEqual([...DECISION_REJECTIONS].sort())
    expect([...met.events].sort()).toEqual(Object.keys(EVENT_SCHEMAS).sort())
  })

  test('G5: an alphabet that tells its two ids apart is not explored as one that does not', () => {
    for (const alphabet of [WORK, MEMORY]) {
      expect(() => explore({ ...alphabet, idsAreAlike: true })).toThrow('its alphabet tells the ids apart')
    }
  })

  test.each(FAULTS)('G5: a fault is found: %s', (_name, breach, alphabet, fault) => {
    const rules = { decide, step, ...fault }
    expect(() => explore(alphabet, 6, undefined, rules)).toThrow(breach)
  })
})
