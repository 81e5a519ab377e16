import { expect, test } from 'vitest'
import { COMMAND_SCHEMAS, type CommandType } from '../../src/authority/commands.ts'
import type { Lease } from '../../src/client/lease.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { openedThrough } from './support/opened-verdict.ts'

const KINDS = { peer: { expectsPeer: true }, two: { policy: { retry: { maxAttempts: 2 } } } }

const claimed = async (verdict: Verdict, kind = 'k') => {
  await verdict.register(kind, { id: 'a' })
  return verdict.claim('a')
}
const withLease = (use: (lease: Lease) => Promise<unknown>, kind?: string) => async (verdict: Verdict) =>
  use(await claimed(verdict, kind))
const registered = (use: (verdict: Verdict) => Promise<unknown>) => async (verdict: Verdict) => {
  await verdict.register('k', { id: 'a' })
  return use(verdict)
}
/** The typed method behind each command, in a place where the command is accepted or answered. */
const METHODS: { readonly [T in CommandType]: (verdict: Verdict, clock: HandMovedClock) => Promise<unknown> } = {
  RegisterOperation: (verdict) => verdict.register('k'),
  ProvisioningSucceeded: withLease(async () => {}),
  ProvisioningFailed: registered((verdict) => verdict.operation('a').failProvisioning('no room')),
  AbortProvisioning: registered((verdict) => verdict.operation('a').abort()),
  PeerReady: withLease((lease) => lease.peerReady({ port: 1 }), 'peer'),
  ReportProgress: withLease((lease) => lease.progress({ percent: 1 })),
  RecordHeartbeat: withLease((lease) => lease.heartbeat()),
  RecordSigns: registered(async (verdict) => {
    await verdict.send({ type: 'RecordSigns', signs: [[1, 5]] })
  }),
  StartPhase: withLease((lease) => lease.startPhase('p')),
  CompletePhase: withLease(async (lease) => {
    await lease.startPhase('p')
    await lease.completePhase('p', 1)
  }),
  FailPhase: withLease(async (lease) => {
    await lease.startPhase('p')
    await lease.failPhase('p', 'broken')
  }),
  CompleteOperation: withLease((lease) => lease.complete(1)),
  FailOperation: withLease((lease) => lease.fail('broken')),
  RetryAttempt: withLease((lease) => lease.retry('broken', { notBefore: 0 }), 'two'),
  RequestCancel: registered((verdict) => verdict.operation('a').cancel()),
  CancelOperation: registered((verdict) => verdict.operation('a').forceCancel()),
  RequestRetire: async (verdict) => {
    await claimed(verdict)
    await verdict.operation('a').retire()
  },
  MarkRetired: withLease((lease) => lease.markRetired('wound down')),
  ReconcileOperation: async (verdict, clock) => {
    await verdict.register('k', { id: 'a' })
    clock.step(25 * 3_600_000)
    await verdict.operation('a').reconcile({
      evidence: { rule: 'queued', attempt: 1, lastRevision: 1, judgedAt: clock.now(), graceMs: 0 },
      reasonCode: 'run.stale_queued',
      disposition: { type: 'fail' },
    })
  },
  RaiseAttention: registered((verdict) => verdict.operation('a').raiseAttention('queued')),
  ClearAttention: registered(async (verdict) => {
    await verdict.operation('a').raiseAttention('queued')
    await verdict.operation('a').clearAttention('queued')
  }),
  RecordContradiction: registered(async (verdict) => {
    await verdict.operation('a').abort()
    await verdict.operation('a').recordContradiction({ claimed: 'completed', result: 1 })
  }),
  RollbackRegistration: async (verdict) => (await verdict.register('k')).rollback(),
  OpenRegistry: (verdict) => verdict.owner('default').open({ maxConcurrent: 1 }),
  ChangeLimits: registered((verdict) => verdict.owner('default').changeLimits({ maxConcurrent: 1 })),
  BeginWaitAll: (verdict) => verdict.waitAll([]),
  BeginWaitAny: (verdict) => verdict.waitAny([]),
  CancelWait: registered(async (verdict) => {
    await verdict.send({ type: 'BeginWaitAll', waitId: 'w', ids: ['a'] })
    await verdict.owner('default').cancelWait('w')
  }),
  ExpireWait: async (verdict, clock) => {
    await verdict.register('k', { id: 'a' })
    await verdict.send({ type: 'BeginWaitAll', waitId: 'w', ids: ['a'], deadlineAt: clock.now() + 1_000 })
    clock.step(1_000)
    await verdict.owner('default').expireWait('w')
  },
  TerminateOwner: registered((verdict) => verdict.owner('default').terminate('gone')),
  RetireOwner: (verdict) => verdict.owner('default').retire('gone'),
  CollectCompleted: (verdict) => verdict.owner('default').collect(),
}

/** Everything that doors answer goes over a wire: positions as decimal strings, all else as it is. */
const overTheWire = (answer: unknown): unknown =>
  JSON.parse(
    JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    (name, value) => (name === 'position' ? BigInt(value) : value),
  )

test.each(Object.keys(COMMAND_SCHEMAS) as CommandType[])(
  '%s is answered in plain data, whole over a wire',
  async (type) => {
    const clock = new HandMovedClock()
    const answers: unknown[] = []
    const kept = async <T>(answering: Promise<T>): Promise<T> => {
      const answer = await answering
      answers.push(answer)
      return answer
    }
    const verdict = await openedThrough(
      (door) => ({
        send: (...args) => kept(door.send(...args)),
        wait: (...args) => kept(door.wait(...args)),
        collect: (...args) => kept(door.collect(...args)),
      }),
      { clock, kinds: KINDS },
    )
    await METHODS[type](verdict, clock)
    expect(answers.length).toBeGreaterThan(0)
    for (const answer of answers) {
      // Strictly: no prototype of ours, no field that is undefined, nothing that JSON leaves out.
      expect(overTheWire(answer)).toStrictEqual(answer)
      expect(structuredClone(answer)).toStrictEqual(answer)
    }
  },
)

test('a wait is answered with its members in the order asked, those that ended with their revision', async () => {
  const clock = new HandMovedClock()
  const verdict = await openedThrough(() => ({}), { clock })
  await verdict.register('k', { id: 'a' })
  await verdict.register('k', { id: 'b' })
  const deadlineAt = clock.now() + 1_000
  const members = [
    { id: 'b', number: 2 },
    { id: 'a', number: 1 },
  ]
  const begin = { type: 'BeginWaitAll', waitId: 'w', runId: 'r', ids: ['b', 'a'], deadlineAt } as const
  const began = await verdict.send(begin)
  expect(began.wait).toEqual({ waitId: 'w', mode: 'all', runId: 'r', members, deadlineAt })
  const { revision } = await verdict.send({ type: 'AbortProvisioning', id: 'a' })
  const attached = await verdict.send(begin)
  expect(attached.wait?.members).toEqual([members[0], { ...members[1], terminalRevision: revision }])
  const first = await verdict.send({ type: 'BeginWaitAny', waitId: 'x', ids: ['b', 'a'], deadlineAt })
  expect(first.wait).toMatchObject({ ending: 'satisfied', winner: 'a' })
})

test.each(Object.keys(COMMAND_SCHEMAS) as CommandType[])('%s is sent by a method of its own', async (type) => {
  const clock = new HandMovedClock()
  const sent: unknown[] = []
  const verdict = await openedThrough(
    (door) => ({
      send: (registry, command, options) => {
        sent.push(command.type)
        return door.send(registry, command, options)
      },
      wait: (registry, request, options) => {
        sent.push(request.mode === 'all' ? 'BeginWaitAll' : 'BeginWaitAny')
        return door.wait(registry, request, options)
      },
      collect: (registry, options) => {
        sent.push('CollectCompleted')
        return door.collect(registry, options)
      },
    }),
    { clock, kinds: KINDS },
  )
  await METHODS[type](verdict, clock)
  expect(sent.at(-1)).toBe(type)
})
