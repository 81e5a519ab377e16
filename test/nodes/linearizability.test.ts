import { describe, expect, test } from 'vitest'
import { seededRandom } from '../support/seeded-random.ts'
import { type Call, checkLinearizable, type Model } from './support/linearizability.ts'
import {
  OPERATION_MODEL,
  type OperationCommandInput,
  type OperationInput,
  type OperationOutput,
} from './support/operation-model.ts'

type Registered = { readonly write: number } | { readonly read: true }

/** A register of one number. */
const REGISTER: Model<number, Registered, number> = {
  initial: 0,
  keyOf: String,
  changesNothing: (input) => 'read' in input,
  step: (state, input, output) => {
    if ('write' in input) return [input.write]
    return output === undefined || output === state ? [state] : []
  },
}

function call<I, O>(invokedAt: number, at: number | undefined, input: I, output?: O): Call<I, O> {
  return { input, invokedAt, ...(at === undefined ? {} : { answered: { at, output: output as O } }) }
}

const wrote = (from: number, to: number | undefined, write: number) => call(from, to, { write }, write)
const read = (from: number, to: number, value: number) => call(from, to, { read: true as const }, value)

describe('a history has an order', () => {
  test.each<[string, readonly Call<Registered, number>[]]>([
    ['when nothing happened', []],
    ['when reads see the write before them', [wrote(1, 2, 7), read(3, 4, 7)]],
    ['when a read beside a write sees what was before it', [wrote(1, 9, 7), read(2, 3, 0)]],
    ['when reads beside a write see it, one after the other', [wrote(1, 9, 7), read(2, 3, 0), read(4, 5, 7)]],
    ['when a write without an answer took effect much later', [wrote(1, undefined, 7), read(2, 3, 0), read(8, 9, 7)]],
    ['when a write without an answer never took effect', [wrote(1, undefined, 7), read(2, 3, 0), read(8, 9, 0)]],
  ])('%s', (_, calls) => {
    expect(checkLinearizable(REGISTER, calls)).toEqual({ type: 'linearizable' })
  })

  test('whatever the interleaving, when one register took the calls one after the other', () => {
    for (let seed = 1; seed <= 50; seed++) {
      expect(checkLinearizable(REGISTER, oneAfterTheOther(seed, 60))).toEqual({ type: 'linearizable' })
    }
  })
})

describe('a history without an order is found, and told by what it needs', () => {
  const noise = [wrote(10, 12, 1), read(13, 14, 1), wrote(20, 21, 2)]
  const lost = [wrote(30, 31, 3), read(32, 33, 2)]
  test.each<[string, readonly Call<Registered, number>[], readonly Call<Registered, number>[]]>([
    ['a stale read after an acknowledged write', [...noise, ...lost, read(50, 51, 3)], [wrote(20, 21, 2), ...lost]],
    ['a value that nobody wrote', [...noise, read(30, 31, 9)], [read(30, 31, 9)]],
    [
      'a write without an answer that was seen and then undone',
      [wrote(1, undefined, 7), read(2, 3, 7), read(4, 5, 0)],
      [wrote(1, undefined, 7), read(2, 3, 7), read(4, 5, 0)],
    ],
    [
      'two readers that saw two writes in different orders',
      [wrote(1, 9, 1), wrote(1, 9, 2), read(10, 11, 1), read(12, 13, 2)],
      [wrote(1, 9, 2), read(10, 11, 1), read(12, 13, 2)],
    ],
  ])('%s', (_, calls, story) => {
    expect(checkLinearizable(REGISTER, calls)).toEqual({ type: 'violation', story })
  })

  test('a search that takes too long says so', () => {
    const calls = oneAfterTheOther(1, 60)
    expect(checkLinearizable(REGISTER, calls, 10)).toEqual({ type: 'undecided' })
  })
})

/** Calls that a register took one after the other, seen by those who waited before and after; some never heard of it. */
function oneAfterTheOther(seed: number, count: number): readonly Call<Registered, number>[] {
  const random = seededRandom(seed)
  let value = 0
  return Array.from({ length: count }, (_, i) => {
    const from = i - random() * 4
    const to = i + random() * 4
    if (random() < 0.6) return read(from, to, value)
    value = i
    return wrote(from, random() < 0.2 ? undefined : to, i)
  })
}

type OperationCallSeen = Call<OperationInput, OperationOutput>

let commands = 0

function sent(
  at: number,
  command: OperationCommandInput,
  output: OperationOutput | undefined,
  { commandId = `c${++commands}`, isRepeated = false, until = at + 1 } = {},
): OperationCallSeen {
  const input: OperationInput = { type: 'command', command, commandId, isRepeated }
  return call(at, output === undefined ? undefined : until, input, output)
}

const accepted = (told: object = {}): OperationOutput => ({ type: 'accepted', ...told })
const refused = (code: string, told: object = {}, isIdempotent = false): OperationOutput => ({
  type: 'refused',
  code,
  isIdempotent,
  ...told,
})
const seen = (at: number, told: object): OperationCallSeen => {
  const view = { attempt: 1, isLeaseOpen: true, reports: 0, ...told }
  return call(at, at + 1, { type: 'snapshot' }, { type: 'seen', view })
}
const gone = (at: number): OperationCallSeen =>
  call(at, at + 1, { type: 'snapshot' }, { type: 'seen', view: undefined })

const REGISTERED = sent(0, { type: 'RegisterOperation' }, accepted({ number: 1, status: 'provisioning' }))
const CLAIMED = sent(10, { type: 'ProvisioningSucceeded' }, accepted({ number: 1, status: 'running', epoch: 2 }))
const TOLD_RUNNING = accepted({ number: 1, status: 'running' })
const COMPLETE = { type: 'CompleteOperation', leaseEpoch: 2, ending: 'x' }
const COMPLETED = sent(20, COMPLETE, accepted({ status: 'completed', sequence: 1, ending: 'completed x' }))

describe('of an operation', () => {
  test.each<[string, readonly OperationCallSeen[]]>([
    ['a life', [REGISTERED, seen(5, { status: 'provisioning', isLeaseOpen: false }), CLAIMED, COMPLETED]],
    [
      'a claim nobody was told of, found by the next one',
      [
        REGISTERED,
        sent(10, { type: 'ProvisioningSucceeded' }, undefined),
        sent(12, { type: 'ProvisioningSucceeded' }, refused('already_claimed', { status: 'running' })),
        seen(14, { status: 'running', epoch: 2 }),
      ],
    ],
    [
      'a command sent again after its node died, which had done it',
      [
        sent(0, { type: 'RegisterOperation' }, undefined, { commandId: 'r', isRepeated: true }),
        seen(5, { status: 'provisioning', number: 1, isLeaseOpen: false }),
        sent(6, { type: 'CancelOperation', ending: 'y' }, accepted({ status: 'cancelled' })),
        sent(8, { type: 'RegisterOperation' }, accepted({ number: 1, status: 'cancelled' }), {
          commandId: 'r',
          isRepeated: true,
        }),
      ],
    ],
    [
      'a life after another one, when the first is forgotten',
      [REGISTERED, CLAIMED, COMPLETED, gone(30), sent(32, { type: 'RegisterOperation' }, accepted({ number: 9 }))],
    ],
    [
      'a watcher that is told while others look',
      [
        REGISTERED,
        CLAIMED,
        COMPLETED,
        call(11, 22, { type: 'outcome' }, accepted({ status: 'completed', ending: 'completed x' })),
      ],
    ],
  ])('%s has an order', (_, calls) => {
    expect(checkLinearizable(OPERATION_MODEL, calls)).toEqual({ type: 'linearizable' })
  })

  test.each<[string, readonly OperationCallSeen[]]>([
    [
      'a stale read after an acknowledged completion',
      [REGISTERED, CLAIMED, COMPLETED, seen(30, { status: 'running' })],
    ],
    [
      'two claims that were both accepted',
      [REGISTERED, CLAIMED, sent(12, { type: 'ProvisioningSucceeded' }, accepted({ status: 'running', epoch: 3 }))],
    ],
    ['an acknowledged registration that is lost', [REGISTERED, gone(5)]],
    [
      'an acknowledged report of progress that is lost',
      [
        REGISTERED,
        CLAIMED,
        sent(14, { type: 'ReportProgress', leaseEpoch: 2 }, accepted({ status: 'running' })),
        seen(16, { status: 'running', reports: 0 }),
      ],
    ],
    [
      'a refusal that contradicts what was answered before',
      [REGISTERED, CLAIMED, sent(12, COMPLETE, refused('stale_lease', { epoch: 7 }))],
    ],
    [
      'a refusal by a status that it never had',
      [REGISTERED, sent(5, { type: 'CancelOperation' }, refused('already_terminal'))],
    ],
    [
      'a second outcome',
      [
        REGISTERED,
        CLAIMED,
        COMPLETED,
        call(30, 31, { type: 'outcome' }, accepted({ status: 'failed', ending: 'failed y' })),
      ],
    ],
    [
      'one command with two effects',
      [
        REGISTERED,
        CLAIMED,
        sent(12, { type: 'ReportProgress', leaseEpoch: 2 }, TOLD_RUNNING, { commandId: 'p', isRepeated: true }),
        sent(14, { type: 'ReportProgress', leaseEpoch: 2 }, TOLD_RUNNING, { commandId: 'p', isRepeated: true }),
        seen(16, { status: 'running', reports: 2 }),
      ],
    ],
    [
      'a termination of the owner that passed it by',
      [
        REGISTERED,
        call(5, 6, { type: 'terminate_owner', reason: 't', isCertain: true }, accepted()),
        seen(8, { status: 'provisioning', isLeaseOpen: false }),
      ],
    ],
    [
      'a new life while the one before it is active',
      [REGISTERED, sent(5, { type: 'RegisterOperation' }, accepted({ number: 9 }))],
    ],
    [
      'a life with a number of before',
      [REGISTERED, CLAIMED, COMPLETED, sent(32, { type: 'RegisterOperation' }, accepted({ number: 2 }))],
    ],
  ])('%s is found', (_, calls) => {
    const verdict = checkLinearizable(OPERATION_MODEL, calls)
    expect(verdict.type).toBe('violation')
    // What was told last is what can't be.
    expect(verdict).toMatchObject({ story: expect.arrayContaining([calls.at(-1)]) })
  })
})
