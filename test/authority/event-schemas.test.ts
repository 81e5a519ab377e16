import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import {
  claimantSchema,
  DEFAULT_LIMITS,
  EVENT_SCHEMAS,
  type EventMetadata,
  errorSchema,
  evidenceSchema,
  kindFactsSchema,
  limitsSchema,
  metadataSchema,
  type RecordedEvent,
  reconciliationSchema,
  retryOfSchema,
  waitModeSchema,
} from '../../src/authority/events.ts'
import { ACCEPTED, EVIDENCE, KIND_FACTS, RECONCILIATION } from './support/accepted-commands.ts'

const { phases: _none, ...factsWithoutPhases } = KIND_FACTS
const metadata: EventMetadata = {
  commandId: 'c',
  commandType: 'T',
  commandDigest: 'd',
  index: 0,
  count: 1,
  at: -1,
  actor: 'a',
  ruleset: 1,
}
const limits = (change: object) => ({ ...DEFAULT_LIMITS, ...change })
const memory = (min: number, max: number) => limits({ commandMemory: { ms: 0, min, max } })
const { facts: ended, content: completed } = EVENT_SCHEMAS.OperationCompleted
const { facts: started } = EVENT_SCHEMAS.OperationStarted
const { content: cancelled } = EVENT_SCHEMAS.OperationCancelled

// biome-ignore format: a table, one line a schema
const STORED: readonly (readonly [name: string, schema: z.ZodType, passes: readonly unknown[], refused: readonly unknown[]])[] = [
  ['an error', errorSchema, [{ message: '' }, { message: 'm', code: 'c', details: null }], [{}, { message: 'm', other: 1 }]],
  ['a claimant', claimantSchema, [{ id: 'w' }, { id: 'w', host: 'h', pid: 0, version: '1' }], [{}, { id: 'w', pid: -1 }, { id: 'w', other: 1 }]],
  ['limits', limitsSchema, [DEFAULT_LIMITS, limits({ maxConcurrent: 0, maxActiveWaits: 1 }), memory(0, 0), memory(1, 2)], [{}, limits({ maxCompleted: -1 }), limits({ other: 1 }), memory(2, 1), limits({ commandMemory: { ms: 0 } })]],
  ['kind facts', kindFactsSchema, [KIND_FACTS, { ...KIND_FACTS, feed: 'suppress', retention: 'discard', phases: ['p'] }], [{}, factsWithoutPhases, { ...KIND_FACTS, feed: '' }, { ...KIND_FACTS, retention: '' }, { ...KIND_FACTS, other: 1 }]],
  ['what is tried again', retryOfSchema, [{ id: 'a', number: 0 }], [{ id: 'a' }, { id: 'a', number: -1 }, { id: 'a', number: 1, other: 1 }]],
  ['evidence', evidenceSchema, [EVIDENCE, ...['waiting', 'active', 'completed', 'failed', 'absent', 'unknown'].map((witness) => ({ ...EVIDENCE, witness })), { ...EVIDENCE, rule: 'sign', lastSignAt: 1, deadlineAt: 1 }], [{ ...EVIDENCE, witness: '' }, { ...EVIDENCE, rule: '' }, { ...EVIDENCE, attempt: 0 }, { ...EVIDENCE, graceMs: -1 }, { ...EVIDENCE, other: 1 }]],
  ['a reconciliation', reconciliationSchema, [RECONCILIATION], [{}, { ...RECONCILIATION, reasonCode: '' }, { ...RECONCILIATION, other: 1 }]],
  ['a mode of waits', waitModeSchema, ['all', 'any'], ['', 'some']],
  ['metadata', metadataSchema, [metadata, { ...metadata, onBehalfOf: 'b', correlationId: 'r', causationId: 'e', traceparent: 't', index: 3, count: 4, ruleset: 2 }], [{}, { ...metadata, count: 0 }, { ...metadata, ruleset: 0 }, { ...metadata, index: -1 }, { ...metadata, other: 1 }]],
  ['a sequence', ended, [{ id: 'a', number: 0, sequence: 1 }, { id: 'a', number: 1, sequence: 2, reconciliation: RECONCILIATION }], [{ id: 'a', number: 1, sequence: 0 }, { sequence: 1 }, { id: 'a', sequence: 1 }, { number: 1, sequence: 1 }]],
  ['an attempt', started, [{ id: 'a', number: 1, attempt: 1 }, { id: 'a', number: 1, attempt: 2 }], [{ id: 'a', number: 1, attempt: 0 }]],
  ['a reason', cancelled, [{}, { reason: '' }], [{ other: 1 }, { reason: 1 }]],
  ['a result', completed, [{ result: null }, { result: { a: [] } }], [{}, { result: undefined }, { result: 1, other: 1 }]],
]

describe('what is stored', () => {
  test.each(STORED)('%s is what its schema says, and nothing else', (_name, schema, passes, refused) => {
    for (const one of passes) expect([one, schema.safeParse(one).success]).toEqual([one, true])
    for (const one of refused) expect([one, schema.safeParse(one).success]).toEqual([one, false])
  })

  test('says what is wrong with limits that cross', () => {
    expect(limitsSchema.safeParse(memory(2, 1)).error?.issues[0]?.message).toBe('expected min to be at most max')
  })

  test.each(Object.entries(ACCEPTED))('A1: passes its schema as it was decided: %s', (_what, [before, command]) => {
    const { history } = before.when(command).next
    const { event } = history.at(-1) as RecordedEvent
    const { facts, content } = EVENT_SCHEMAS[event.type]
    expect([facts.parse(event.facts), content.parse(event.content)]).toEqual([event.facts, event.content])
  })

  test('A12, A13: has the limits of the law where none are named', () => {
    expect(DEFAULT_LIMITS).toEqual({
      maxConcurrent: null,
      maxCompleted: 256,
      maxActiveWaits: null,
      activeCeiling: 100_000,
      tombstones: 10_000,
      feedRetention: 4_096,
      commandMemory: { ms: 900_000, min: 4_096, max: 16_384 },
      endedWaits: 256,
    })
  })
})
