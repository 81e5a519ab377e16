import { describe, expect, test } from 'vitest'
import { COMMAND_SCHEMAS, type Command } from '../../src/authority/commands.ts'
import { decide } from '../../src/authority/decide.ts'
import type { Effect } from '../../src/authority/effects.ts'
import { EVENT_SCHEMAS } from '../../src/authority/events.ts'
import { step } from '../../src/authority/evolve.ts'
import type { RegistryState } from '../../src/authority/registry.ts'
import { DECISION_REJECTIONS } from '../../src/authority/rejections.ts'
import { type Alphabet, explore, type Figures, type Met, type Rules, type Sent } from './support/exploration.ts'

/**
 * The state space of a registry of two operations, on the real code. One alphabet of all commands would have no end in
 * sight, so there are several, each with the commands that act on each other; each is explored until it is closed or to
 * its depth, and all invariants are asked in every state and at every step. The figures pin the space: a rule that changes
 * changes them, and whoever changes a rule looks at them.
 */
const IDS = ['a', 'b'] as const
const error = { message: '' }
const FORGET = { commandMemory: { ms: 0, min: 0, max: 0 } }
const SMALL = { ...FORGET, maxCompleted: 1, tombstones: 1, feedRetention: 1, endedWaits: 1 }

const perId = (commands: (id: string) => readonly Sent[]): readonly Sent[] => IDS.flatMap((id) => commands(id))

function leaseOf(state: RegistryState, id: string): { readonly leaseEpoch?: number } {
  const leaseEpoch = state.operations.get(id)?.lease?.epoch ?? state.tombstones.get(id)?.leaseEpoch
  return leaseEpoch === undefined ? {} : { leaseEpoch }
}

/** Everything that ends an operation, and how it comes to that. */
const LIFECYCLE: Alphabet = {
  kinds: { k: { policy: { retry: { maxAttempts: 2 } } } },
  limits: SMALL,
  commands: (state) => [
    { type: 'TerminateOwner', reason: '' },
    { type: 'RetireOwner', reason: '' },
    { type: 'CollectCompleted' },
    ...perId((id) => {
      const lease = leaseOf(state, id)
      return [
        { type: 'RegisterOperation', id, kind: 'k' },
        { type: 'RegisterOperation', id, kind: 'k', claim: {} },
        { type: 'ProvisioningSucceeded', id },
        { type: 'ProvisioningFailed', id, error },
        { type: 'AbortProvisioning', id },
        { type: 'CompleteOperation', id, ...lease },
        { type: 'CompleteOperation', id },
        { type: 'CompleteOperation', id, leaseEpoch: 1_000_000 },
        { type: 'FailOperation', id, error, ...lease },
        { type: 'FailOperation', id, error, asOperator: true },
        { type: 'RetryAttempt', id, error, notBeforeAt: 0, ...lease },
        { type: 'RequestCancel', id },
        { type: 'CancelOperation', id },
        { type: 'RequestRetire', id },
        { type: 'MarkRetired', id, ...lease },
        {
          type: 'RollbackRegistration',
          id,
          registrationCommandId: state.operations.get(id)?.registrationCommandId ?? '-',
        },
      ]
    }),
  ],
}

/** Attempts that are lost, verdicts with evidence that holds and that does not, late reports, attention, signs. */
const VERDICTS: Alphabet = {
  kinds: { k: { policy: { retry: { maxAttempts: 2 }, cancelGraceMs: 0 } } },
  limits: SMALL,
  commands: (state) => [
    { type: 'RecordSigns', signs: IDS.map((id) => [state.operations.get(id)?.number ?? 99, 2_000_000]) },
    ...perId((id) => {
      const operation = state.operations.get(id)
      const lease = leaseOf(state, id)
      const seen = {
        attempt: operation?.attempt ?? 1,
        lastRevision: operation?.lastRevision ?? 0,
        judgedAt: 0,
        graceMs: 0,
      }
      const witness = { ...seen, rule: 'witness', witness: 'completed' } as const
      const verdict = { type: 'ReconcileOperation', id, reasonCode: 'run.adapter_out_of_sync' } as const
      return [
        { type: 'RegisterOperation', id, kind: 'k' },
        { type: 'ProvisioningSucceeded', id },
        { type: 'RecordHeartbeat', id, ...lease },
        { type: 'RequestCancel', id },
        { type: 'RaiseAttention', id, rule: 'sign' },
        { type: 'ClearAttention', id, rule: 'sign' },
        { ...verdict, evidence: witness, disposition: { type: 'fail' } },
        { ...verdict, evidence: witness, disposition: { type: 'retry', notBeforeAt: 0 } },
        { ...verdict, evidence: witness, disposition: { type: 'cancel' } },
        { ...verdict, evidence: witness, disposition: { type: 'complete' } },
        { ...verdict, evidence: { ...seen, rule: 'cancel' }, disposition: { type: 'cancel' } },
        { ...verdict, evidence: { ...seen, rule: 'cancel' }, disposition: { type: 'complete' } },
        { ...verdict, evidence: { ...witness, lastRevision: 0 }, disposition: { type: 'fail' } },
        { type: 'RecordContradiction', id, claimed: 'completed' },
        {
          type: 'RecordContradiction',
          id,
          claimed: 'failed',
          ...(lease.leaseEpoch === undefined ? {} : { epoch: lease.leaseEpoch }),
        },
      ]
    }),
  ],
}

/** Phases in their order and out of it, kept over attempts; peers; progress. */
const WORK: Alphabet = {
  kinds: { k: { phases: ['p', 'q'], expectsPeer: true, policy: { retry: { maxAttempts: 2 } } }, plain: {} },
  limits: SMALL,
  commands: (state) => [
    ...perId((id) => {
      const lease = leaseOf(state, id)
      const phases = ['p', 'q'].flatMap((phase): Command[] => [
        { type: 'StartPhase', id, phase, ...lease },
        { type: 'CompletePhase', id, phase, ...lease },
        { type: 'FailPhase', id, phase, error, ...lease },
      ])
      return id === 'b'
        ? [
            { type: 'RegisterOperation', id, kind: 'plain', claim: {} },
            { type: 'PeerReady', id, peer: 1, ...lease },
            { type: 'StartPhase', id, phase: 'free', ...lease },
            { type: 'CompletePhase', id, phase: 'free', ...lease },
            { type: 'CompleteOperation', id, ...lease },
          ]
        : [
            { type: 'RegisterOperation', id, kind: 'k' },
            { type: 'RegisterOperation', id, kind: 'k', phaseResults: { p: 1 } },
            { type: 'RegisterOperation', id, kind: 'k', phaseResults: { other: 1 } },
            { type: 'ProvisioningSucceeded', id },
            { type: 'PeerReady', id, peer: 1, ...lease },
            { type: 'ReportProgress', id, ...lease },
            { type: 'StartPhase', id, phase: 'other', ...lease },
            ...phases,
            { type: 'CompleteOperation', id, ...lease },
            { type: 'CancelOperation', id },
            { type: 'RetryAttempt', id, error, notBeforeAt: 0, ...lease },
          ]
    }),
  ],
}

/** Waits of both modes over members that end, are let go and come again under their id. */
const WAITS: Alphabet = {
  kinds: { k: {}, discarded: { retention: 'discard' } },
  limits: { ...SMALL, maxActiveWaits: 1 },
  commands: (state) => [
    { type: 'BeginWaitAll', waitId: 'w', ids: ['a', 'b'], deadlineAt: 1_000_000 },
    { type: 'BeginWaitAny', waitId: 'w', ids: ['b', 'a'], deadlineAt: 2_000_000 },
    { type: 'BeginWaitAll', waitId: 'v', ids: ['a'], deadlineAt: 2_000_000 },
    { type: 'BeginWaitAll', waitId: 'v', ids: [] },
    { type: 'BeginWaitAll', waitId: 'u', ids: ['a', 'a'] },
    { type: 'CancelWait', waitId: 'w' },
    { type: 'ExpireWait', waitId: 'w' },
    { type: 'CollectCompleted' },
    { type: 'TerminateOwner', reason: '' },
    { type: 'RegisterOperation', id: 'a', kind: 'k' },
    { type: 'RegisterOperation', id: 'b', kind: 'discarded' },
    ...perId((id) => [
      { type: 'CancelOperation', id },
      {
        type: 'RollbackRegistration',
        id,
        registrationCommandId: state.operations.get(id)?.registrationCommandId ?? '-',
      },
    ]),
  ],
}

/** Admission, keys, joins, due times, limits that change, a registry that nobody opened yet. */
const ADMISSION: Alphabet = {
  kinds: { k: {} },
  limits: { ...SMALL, maxConcurrent: 1, activeCeiling: 2 },
  changesLimits: true,
  commands: (state) => [
    { type: 'OpenRegistry' },
    { type: 'OpenRegistry', limits: { maxConcurrent: 0 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: 0 } },
    { type: 'ChangeLimits', limits: { maxConcurrent: null } },
    { type: 'RetireOwner', reason: '' },
    { type: 'TerminateOwner', reason: '' },
    { type: 'RegisterOperation', id: 'c', kind: 'k', key: 'x', maxConcurrent: null },
    ...perId((id) => [
      { type: 'RegisterOperation', id, kind: 'k' },
      { type: 'RegisterOperation', id, kind: 'k', key: 'x' },
      { type: 'RegisterOperation', id, kind: 'k', maxConcurrent: 2 },
      { type: 'RegisterOperation', id, kind: 'k', claim: {}, notBeforeAt: 2_000_000 },
      { type: 'ProvisioningSucceeded', id, claimant: { id: 'one' } },
      { type: 'ProvisioningSucceeded', id, claimant: { id: 'other' } },
      { type: 'CancelOperation', id },
      {
        type: 'RollbackRegistration',
        id,
        registrationCommandId: state.operations.get(id)?.registrationCommandId ?? '-',
      },
    ]),
  ],
}

/** The same command again, another one under its id, and a registration that is undone. */
const MEMORY: Alphabet = {
  kinds: { k: {}, silent: { feed: 'suppress' } },
  limits: { ...SMALL, commandMemory: { ms: 0, min: 2, max: 2 } },
  commands: () => [
    { commandId: 'one', command: { type: 'RegisterOperation', id: 'a', kind: 'k' } },
    { commandId: 'one', command: { type: 'RegisterOperation', id: 'b', kind: 'silent' } },
    { commandId: 'two', command: { type: 'RegisterOperation', id: 'b', kind: 'silent' } },
    { commandId: 'three', command: { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'one' } },
    { commandId: 'four', command: { type: 'CancelOperation', id: 'a' } },
    { commandId: 'five', command: { type: 'CancelOperation', id: 'b' } },
    { commandId: 'six', command: { type: 'CollectCompleted' } },
  ],
}

/** Rules with one fault each, that the invariants must find. */
const FAULTS: readonly (readonly [string, Alphabet, Partial<Rules>])[] = [
  [
    'a slot that is never freed',
    LIFECYCLE,
    stepping((before, after) => ({ ...after, activeCount: Math.max(before.activeCount, after.activeCount) })),
  ],
  ['effects in the wrong order', LIFECYCLE, stepping(undefined, (effects) => effects.toReversed())],
  [
    'an eviction that nobody is told',
    LIFECYCLE,
    stepping(undefined, (effects) => effects.filter(({ type }) => type !== 'EvictRecord')),
  ],
  [
    'an end that nobody is told',
    LIFECYCLE,
    stepping(undefined, (effects) => effects.filter(({ type }) => type !== 'NotifyWatchers')),
  ],
  [
    'a wait that is never satisfied',
    WAITS,
    stepping((before, after) => ({
      ...after,
      waits: before.waits.size > after.waits.size ? before.waits : after.waits,
    })),
  ],
  ['a sequence that is given twice', LIFECYCLE, stepping((before, after) => ({ ...after, sequence: before.sequence }))],
  [
    'a key that is never released',
    ADMISSION,
    stepping((before, after) => ({ ...after, keys: before.keys.size > after.keys.size ? before.keys : after.keys })),
  ],
  [
    'a second end',
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

const met: Met = { commands: new Set(), codes: new Set(), events: new Set() }

describe('every state of a registry of two operations', () => {
  const spaces: readonly (readonly [string, Alphabet, Figures])[] = [
    ['lifecycle', LIFECYCLE, { states: 5_533, transitions: 29_156, refusals: 164_499, depth: 10 }],
    ['verdicts', VERDICTS, { states: 77_554, transitions: 419_823, refusals: 1_984_351, depth: 16 }],
    ['work', WORK, { states: 3_680, transitions: 11_801, refusals: 65_479, depth: 12 }],
    ['waits', WAITS, { states: 1_506, transitions: 2_967, refusals: 19_623, depth: 13 }],
    ['admission', ADMISSION, { states: 8_059, transitions: 34_406, refusals: 150_951, depth: 10 }],
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

  test.each(FAULTS)('G5: a fault is found: %s', (_name, alphabet, fault) => {
    const rules = { decide, step, ...fault }
    expect(() => explore(alphabet, 6, undefined, rules)).toThrow()
  })
})
