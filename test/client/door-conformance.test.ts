/**
 * The doors promise the same. Each case is told once, as a list of calls; what both doors answer to them is compared whole: answers,
 * refusals with their codes, messages and facts, places in the log, what is thrown.
 */
import { describe, expect, test } from 'vitest'
import type { OpenOptions } from '../../src/app/open-options.ts'
import type { LiveEvent, WaitRequest } from '../../src/authority/questions.ts'
import type { EventsAnswer, LeaseCause, SendOptions, VerdictDoor } from '../../src/client/door.ts'
import { comparable, type Doored, type DoorName, doored, told } from './support/both-doors.ts'

const DOORS: readonly DoorName[] = ['embedded', 'http']
const ACME = { workspace: 'w', owner: 'acme' }
/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }

interface Case {
  readonly options?: OpenOptions
  /** Calls a door, and gives what it answered. */
  readonly run: (node: Doored) => Promise<unknown>
}

type Body = Readonly<Record<string, unknown>>

const COMMANDS: Readonly<Record<string, Case>> = {
  'a registration, and the same once more': {
    run: async ({ door }) => {
      const whole = {
        type: 'RegisterOperation',
        id: 'a',
        kind: 'k',
        name: 'March',
        source: 'cron',
        input: { n: 1, deep: [null, true, 'ü'] },
        labels: { team: 'b' },
        key: 'key',
        maxConcurrent: 3,
        claim: { claimant: { id: 'worker-1', host: 'h' } },
      }
      return [
        await door.send(ACME, whole, { commandId: 'c1' }),
        await door.send(ACME, whole, { commandId: 'c1' }),
        await door.send(ACME, { ...whole, name: 'April' }, { commandId: 'c1' }),
        await door.send(ACME, whole, { commandId: 'c2' }),
        await door.send(ACME, { ...whole, id: 'b' }, { commandId: 'c3' }),
        await door.snapshot(ACME, 'a'),
      ]
    },
  },
  'what is no command': {
    run: async ({ door }) => {
      const asked: readonly unknown[] = [
        {},
        { type: 'Nonsense' },
        { type: 5 },
        { type: 'toString' },
        { type: 'RegisterOperation' },
        { type: 'RegisterOperation', kind: '' },
        { type: 'RegisterOperation', kind: 'k', id: 'x'.repeat(129) },
        { type: 'RegisterOperation', kind: 'k', id: 'a\nb' },
        { type: 'RegisterOperation', kind: 'k', stray: 1 },
        { type: 'RegisterOperation', kind: 'k', input: 10n },
        { type: 'RegisterOperation', kind: 'k', input: { deep: [Number.NaN] } },
        { type: 'RegisterOperation', kind: 'k', input: 2 ** 60 },
        { type: 'RegisterOperation', kind: 'k', input: new Date(0) },
        { type: 'RegisterOperation', kind: 'k', input: () => 1 },
        { type: 'RegisterOperation', kind: 'k', labels: { a: 1 } },
        { type: 'RegisterOperation', kind: 'k', policy: { staleAfterMs: 1 } },
        { type: 'RegisterOperation', kind: 'k', policy: { staleAfterMs: 1_000, heartbeatIntervalMs: 5_000 } },
        { type: 'CompleteOperation', id: 'a', leaseEpoch: -1 },
        { type: 'ReportProgress', id: 'a', percent: 101 },
        null,
        undefined,
        'RegisterOperation',
        [],
        [{ type: 'RegisterOperation', kind: 'k' }],
      ]
      const all: unknown[] = []
      for (const command of asked) all.push(await told(() => door.send(ACME, command as Body)))
      return all
    },
  },
  'who sends it, under which id, and what is no name': {
    run: async ({ door }) => {
      const all: unknown[] = []
      const command = { type: 'RegisterOperation', kind: 'k', id: 'a' }
      const options: readonly Body[] = [
        { commandId: '' },
        { commandId: 'x'.repeat(129) },
        { correlationId: 'x'.repeat(257) },
        { causationId: '' },
      ]
      for (const each of options) all.push(await told(() => door.send(ACME, command, each as SendOptions)))
      for (const owner of ['', 'x'.repeat(129), 'a\u0000b', 'ü'.repeat(65), 'a\ud800']) {
        all.push(await told(() => door.send({ workspace: 'w', owner }, command)))
        all.push(await told(() => door.send({ workspace: owner, owner: 'acme' }, command)))
      }
      const sender = {
        commandId: 'Ähre / 1',
        correlationId: 'order 4711',
        causationId: 'message-9',
        onBehalfOf: 'Ada €',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      }
      all.push(await door.send(ACME, command, sender))
      all.push(await door.history(ACME, 'a'))
      return all
    },
  },
  'an operation worked on, and reports of those who have no lease': {
    options: { kinds: { peer: { expectsPeer: true } } },
    run: async ({ door, clock }) => {
      const send = (command: Body) => door.send(ACME, command)
      const all: unknown[] = [await send({ type: 'RegisterOperation', id: 'a', kind: 'peer' })]
      const claimed = await send({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w1' } })
      const { leaseEpoch } = answerOf(claimed)
      all.push(claimed, await send({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w2' } }))
      const mine = { id: 'a', leaseEpoch }
      clock.step(1_500)
      all.push(
        await send({ type: 'PeerReady', ...mine, peer: { port: 1 } }),
        await send({ type: 'PeerReady', ...mine, peer: { port: 2 } }),
        await send({ type: 'ReportProgress', ...mine, message: 'one', processed: 1, total: 4 }),
        await send({ type: 'RecordHeartbeat', ...mine }),
        await send({ type: 'StartPhase', ...mine, phase: 'read' }),
        await send({ type: 'CompletePhase', ...mine, phase: 'write' }),
        await send({ type: 'CompletePhase', ...mine, phase: 'read', result: 4 }),
        await send({ type: 'RecordHeartbeat', id: 'a', leaseEpoch: 999 }),
        await send({ type: 'CompleteOperation', id: 'a', leaseEpoch: 0, result: 1 }),
        await send({ type: 'CompleteOperation', id: 'a', result: 1 }),
        await send({ type: 'RequestCancel', id: 'a', reason: 'customer' }),
        await send({ type: 'RequestCancel', id: 'a', reason: 'customer' }),
        await send({ type: 'RecordHeartbeat', ...mine }),
        await send({ type: 'CompleteOperation', ...mine, result: { rows: 4 } }),
        await send({ type: 'CompleteOperation', ...mine, result: { rows: 4 } }),
        await send({ type: 'FailOperation', ...mine, error: { message: 'no' } }),
        await send({ type: 'CancelOperation', id: 'a' }),
        await send({ type: 'CompleteOperation', id: 'nobody', leaseEpoch: 1 }),
        await door.snapshot(ACME, 'a'),
        await door.history(ACME, 'a'),
      )
      return all
    },
  },
  'limits, attempts and owners that are retired': {
    options: { kinds: { two: { policy: { retry: { maxAttempts: 2 } } } } },
    run: async ({ door, clock }) => {
      const send = (command: Body) => door.send(ACME, command)
      const all: unknown[] = [
        await door.overview(ACME).then(withoutRegistryId),
        await send({ type: 'OpenRegistry', limits: { maxConcurrent: 1 } }),
        await send({ type: 'OpenRegistry', limits: { maxConcurrent: 1 } }),
        await send({ type: 'OpenRegistry', limits: { maxConcurrent: 2 } }),
      ]
      const first = await send({ type: 'RegisterOperation', id: 'a', kind: 'two', claim: {} })
      const lost = { type: 'RetryAttempt', id: 'a', error: { message: 'lost' }, notBeforeAt: clock.now() + 60_000 }
      all.push(
        first,
        await send({ type: 'RegisterOperation', id: 'b', kind: 'two' }),
        await send({ ...lost, leaseEpoch: answerOf(first).leaseEpoch }),
        await send({ type: 'ProvisioningSucceeded', id: 'a' }),
        await send({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'another' }),
        await send({ type: 'ChangeLimits', limits: { maxConcurrent: null } }),
        await send({ type: 'RegisterOperation', id: 'b', kind: 'two' }),
        await send({ type: 'TerminateOwner', reason: 'left' }),
        await send({ type: 'RetireOwner', reason: 'left' }),
        await send({ type: 'RetireOwner', reason: 'left' }),
        await send({ type: 'RegisterOperation', id: 'c', kind: 'two' }),
        await door.overview(ACME).then(withoutRegistryId),
      )
      return all
    },
  },
}

/** Of one operation: three lives that have ended, of which the registry still holds one. */
async function ended({ door, clock }: Doored, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const registered = await door.send(ACME, { type: 'RegisterOperation', id, kind: 'k', claim: {} })
    clock.step(1_000)
    const { leaseEpoch } = answerOf(registered)
    await door.send(ACME, { type: 'CompleteOperation', id, leaseEpoch, result: { of: id } })
  }
}

const QUESTIONS: Readonly<Record<string, Case>> = {
  'operations that are held, gone, and were never there': {
    options: { limits: { maxCompleted: 1, tombstones: 2 } },
    run: async (node) => {
      const { door } = node
      await ended(node, ['a', 'b', 'c', 'd'])
      await door.send(ACME, { type: 'RegisterOperation', id: 'on', kind: 'k' })
      const all: unknown[] = []
      for (const id of ['a', 'b', 'c', 'd', 'nobody', '', 'ä/?#%', 'x'.repeat(200)]) {
        all.push(id, await told(() => door.snapshot(ACME, id)))
        all.push(await told(() => door.outcome(ACME, id)))
        all.push(await told(() => door.history(ACME, id)))
      }
      all.push(await told(() => door.snapshot(ACME, 'a\ud800')), await told(() => door.history(ACME, 'a\ud800')))
      const elsewhere = { workspace: 'w', owner: 'nobody' }
      all.push(await told(() => door.snapshot(elsewhere, 'a')), await told(() => door.outcome(elsewhere, 'a')))
      all.push(await told(() => door.history(elsewhere, 'a')), await told(() => door.overview(elsewhere)))
      all.push(await door.overview(ACME).then(withoutRegistryId))
      return all
    },
  },
  'an id that is used again': {
    options: { limits: { tombstones: 0 } },
    run: async (node) => {
      const { door } = node
      await ended(node, ['a'])
      await door.send(ACME, { type: 'CollectCompleted' })
      await ended(node, ['a'])
      return [await door.outcome(ACME, 'a'), await door.history(ACME, 'a'), await door.snapshot(ACME, 'a')]
    },
  },
  'an outcome that is waited for, by several, one of whom leaves': {
    run: async ({ door }) => {
      const { leaseEpoch } = answerOf(
        await door.send(ACME, { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }),
      )
      const left = new AbortController()
      const leaving = told(() => door.outcome(ACME, 'a', left.signal))
      const waiting = [door.outcome(ACME, 'a'), door.outcome(ACME, 'a', new AbortController().signal)]
      await expect.poll(async () => (await door.snapshot(ACME, 'a'))?.watchers, PATIENCE).toBe(3)
      left.abort(new Error('enough'))
      await expect.poll(async () => (await door.snapshot(ACME, 'a'))?.watchers, PATIENCE).toBe(2)
      await door.send(ACME, { type: 'FailOperation', id: 'a', leaseEpoch, error: { message: 'no', code: 'E' } })
      const late = await told(() => door.outcome(ACME, 'a', AbortSignal.abort(new Error('never'))))
      return [await leaving, await Promise.all(waiting), late]
    },
  },
  'the completion feed, its gaps, and cursors': {
    options: { limits: { feedRetention: 2 } },
    run: async (node) => {
      const { door } = node
      const asked = (request: Body) => told(() => door.completions(ACME, request as { after: number }))
      const all: unknown[] = [await asked({ after: 0 }), await asked({ after: 1 })]
      const waiting = door.completions(ACME, { after: 0, wait: true })
      await ended(node, ['a'])
      all.push(await waiting, await door.completions(ACME, { after: 0, wait: true }))
      const left = new AbortController()
      const leaving = told(() => door.completions(ACME, { after: 1, wait: true, signal: left.signal }))
      left.abort(new Error('enough'))
      all.push(await leaving)
      await ended(node, ['b', 'c', 'd'])
      for (const after of [0, 1, 2, 3, 4, 5, -1, 1.5, Number.NaN, '1'])
        all.push(await asked({ after }), await asked({ after, limit: 1 }))
      for (const limit of [0, -1, 0.5, 10_000, '2']) all.push(await asked({ after: 2, limit }))
      all.push(await asked({ after: 1, wait: true }))
      const move = (name: unknown, sequence: unknown) =>
        told(() => door.moveCursor(ACME, name as string, sequence as number))
      for (const name of ['mails', 'ä/?#%', 'x'.repeat(128)]) {
        all.push(await door.cursor(ACME, name), await move(name, 2), await move(name, 1), await door.cursor(ACME, name))
      }
      for (const sequence of [5, -1, 1.5, '1', undefined]) all.push(await move('mails', sequence))
      for (const name of ['x'.repeat(129), 'a\nb']) all.push(await move(name, 1))
      return all
    },
  },
  'what is collected, once, and told again to who asks with the same id': {
    run: async (node) => {
      const { door } = node
      const collect = (options?: SendOptions) => told(() => door.collect(ACME, options))
      const all: unknown[] = [await collect(), await collect({ commandId: 'none yet' })]
      await ended(node, ['a', 'b'])
      all.push(await collect({ commandId: 'ä 1', correlationId: 'c', causationId: 'd', onBehalfOf: 'Ada' }))
      all.push(await collect({ commandId: 'ä 1' }), await collect())
      all.push(await told(() => door.send(ACME, { type: 'TerminateOwner', reason: 'x' }, { commandId: 'ä 1' })))
      all.push(await collect({ commandId: 'x'.repeat(129) }), await collect({ commandId: '' }))
      await door.send(ACME, { type: 'TerminateOwner', reason: 'x' }, { commandId: 'other' })
      all.push(await collect({ commandId: 'other' }), await door.history(ACME, 'a'))
      return all
    },
  },
}

const WAITS: Readonly<Record<string, Case>> = {
  'over what has ended, over nothing, and over what can not be waited for': {
    options: { limits: { maxCompleted: 1, tombstones: 1 } },
    run: async (node) => {
      const { door } = node
      await ended(node, ['gone', 'a', 'b'])
      await door.send(ACME, { type: 'RegisterOperation', id: 'on', kind: 'k' })
      const all: unknown[] = []
      for (const mode of ['all', 'any'] as const) {
        const asked = (ids: readonly string[], more: Partial<WaitRequest> = {}, options?: SendOptions) =>
          told(() => door.wait(ACME, { mode, ids, waitId: `${mode}-${all.length}`, ...more }, options))
        all.push(
          await asked(['b']),
          await asked(['a', 'b']),
          await asked([]),
          await asked(['b', 'b']),
          await asked(['b', 'nobody']),
          await asked(['gone']),
          await asked([''], {}),
          await asked(['b'], { waitId: '' }),
          await asked(['b'], { waitId: 'x'.repeat(129) }),
          await asked(['b'], { deadlineAt: -1 }),
          await asked(['on'], { deadlineAt: Number.MAX_SAFE_INTEGER }),
          await asked(['b'], { runId: 'run-1' }, { commandId: `${mode} same`, correlationId: 'c' }),
          await asked(['a'], { runId: 'run-1' }, { commandId: `${mode} same` }),
        )
      }
      return all
    },
  },
  'that go on: satisfied, joined by another, conflicting, cancelled and expired': {
    options: { limits: { maxActiveWaits: 2 } },
    run: async (node) => {
      const { door, clock } = node
      const epochs: Record<string, number | undefined> = {}
      for (const id of ['a', 'b', 'c']) {
        const { leaseEpoch } = answerOf(await door.send(ACME, { type: 'RegisterOperation', id, kind: 'k', claim: {} }))
        epochs[id] = leaseEpoch
      }
      const waits = (count: number) => expect.poll(async () => (await door.overview(ACME)).waits, PATIENCE).toBe(count)
      const end = (id: string) => door.send(ACME, { type: 'CompleteOperation', id, leaseEpoch: epochs[id], result: id })
      const both = told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'b'], waitId: 'both', runId: 'r' }))
      const first = told(() => door.wait(ACME, { mode: 'any', ids: ['c', 'a'], waitId: 'first' }))
      await waits(2)
      const joined = told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'b'], waitId: 'both', runId: 'r' }))
      const all: unknown[] = [
        await told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'c'], waitId: 'both' })),
        await told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'c'], waitId: 'third' })),
        await end('a'),
        await first,
        await end('b'),
        await both,
        await joined,
        await told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'b'], waitId: 'both' })),
      ]
      const cancelled = told(() => door.wait(ACME, { mode: 'all', ids: ['c'], waitId: 'cancelled' }))
      await waits(1)
      all.push(await door.send(ACME, { type: 'CancelWait', waitId: 'cancelled' }), await cancelled)
      all.push(await door.send(ACME, { type: 'CancelWait', waitId: 'cancelled' }))
      const left = new AbortController()
      const leaving = told(() => door.wait(ACME, { mode: 'all', ids: ['c'], waitId: 'left', signal: left.signal }))
      await waits(1)
      left.abort(new Error('enough'))
      all.push(await leaving)
      await waits(0)
      const deadlineAt = clock.now() + 5_000
      const expired = told(() => door.wait(ACME, { mode: 'all', ids: ['a', 'c'], waitId: 'expired', deadlineAt }))
      await waits(1)
      clock.step(5_000)
      all.push(await door.send(ACME, { type: 'ExpireWait', waitId: 'expired' }, { commandId: 'expiry' }).then(codeOf))
      await clock.advance(1)
      all.push(await expired)
      return all
    },
  },
  'of which the members are let go meanwhile': {
    options: { limits: { maxCompleted: 1, tombstones: 1 } },
    run: async (node) => {
      const { door } = node
      const { leaseEpoch } = answerOf(
        await door.send(ACME, { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }),
      )
      await door.send(ACME, { type: 'RegisterOperation', id: 'b', kind: 'k' })
      const waiting = told(() => door.wait(ACME, { mode: 'all', ids: ['b', 'a'], waitId: 'both' }))
      await expect.poll(async () => (await door.overview(ACME)).waits, PATIENCE).toBe(1)
      await door.send(ACME, { type: 'CompleteOperation', id: 'a', leaseEpoch, result: 1 })
      await ended(node, ['x', 'y', 'z'])
      await door.send(ACME, { type: 'TerminateOwner', reason: 'left' })
      return [await waiting, await told(() => door.wait(ACME, { mode: 'all', ids: ['b', 'a'], waitId: 'both' }))]
    },
  },
}

const LEASES: Readonly<Record<string, Case>> = {
  'told what became of it, from the beginning and later': {
    options: { limits: { tombstones: 0 }, kinds: { two: { policy: { retry: { maxAttempts: 3 } } } } },
    run: async (node) => {
      const { door, clock } = node
      const heard = (id: string, leaseEpoch: number | undefined) =>
        new Promise<LeaseCause>((resolve) => {
          const stop = door.onLease(ACME, { id, leaseEpoch: leaseEpoch as number }, (cause) => {
            resolve(cause)
            queueMicrotask(() => stop())
          })
        })
      const claim = async (id: string) =>
        answerOf(await door.send(ACME, { type: 'RegisterOperation', id, kind: 'two', claim: {} })).leaseEpoch
      const cancelled = await claim('cancelled')
      const later = heard('cancelled', cancelled)
      await door.send(ACME, { type: 'RequestCancel', id: 'cancelled' })
      const all: unknown[] = [await later, await heard('cancelled', cancelled)]
      await door.send(ACME, { type: 'CancelOperation', id: 'cancelled', leaseEpoch: cancelled })
      all.push(await heard('cancelled', cancelled), await heard('nobody', 5))
      const forced = await claim('forced')
      const ending = heard('forced', forced)
      await door.send(ACME, { type: 'CancelOperation', id: 'forced' })
      all.push(await ending)
      const lost = await claim('lost')
      const retry = { type: 'RetryAttempt', id: 'lost', error: { message: 'x' }, notBeforeAt: clock.now() }
      await door.send(ACME, { ...retry, leaseEpoch: lost })
      all.push(await heard('lost', lost))
      const { leaseEpoch } = answerOf(await door.send(ACME, { type: 'ProvisioningSucceeded', id: 'lost' }))
      all.push(await heard('lost', lost))
      await door.send(ACME, { type: 'CompleteOperation', id: 'lost', leaseEpoch })
      all.push(await heard('lost', lost), await heard('lost', leaseEpoch))
      await door.send(ACME, { type: 'CollectCompleted' })
      await claim('lost')
      all.push(await heard('lost', lost), await heard('lost', leaseEpoch))
      return all
    },
  },
}

const EVENTS: Readonly<Record<string, Case>> = {
  'from the beginning, behind a cursor, filtered, and from now on': {
    run: async (node) => {
      const { door } = node
      await ended(node, ['a', 'b'])
      const another = { workspace: 'w', owner: 'other' }
      await door.send(another, { type: 'RegisterOperation', id: 'a', kind: 'other' })
      const whole = await eventsOf(door, {}, 8)
      const behind = await eventsOf(door, { after: (whole[3] as LiveEvent).cursor }, whole.length - 4)
      const all: unknown[] = [
        whole.map(withoutPlace),
        behind.map(withoutPlace),
        (await eventsOf(door, { workspace: 'w', owner: 'other' }, 2)).map(withoutPlace),
        (await eventsOf(door, { operation: 'b', types: ['verdict.operation.completed'] }, 1)).map(withoutPlace),
        (await eventsOf(door, { kind: 'other' }, 1)).map(withoutPlace),
      ]
      const left = new AbortController()
      const isBegun = Promise.withResolvers<void>()
      const live = (async () => {
        const types: string[] = []
        for await (const answer of door.events({ after: 'now' }, left.signal)) {
          if (answer.type !== 'events') return answer
          if (answer.isCaughtUp) isBegun.resolve()
          types.push(...answer.events.map(({ type }) => type))
          if (types.length >= 1) left.abort()
        }
        return types
      })()
      await isBegun.promise
      await door.send(ACME, { type: 'RegisterOperation', id: 'c', kind: 'k' })
      all.push(await live)
      return all
    },
  },
  'what can not be asked': {
    run: async (node) => {
      const { door } = node
      await ended(node, ['a'])
      const all: unknown[] = []
      for (const request of [
        { after: 'nonsense' },
        { after: '' },
        { types: ['x'.repeat(300)] },
        { types: [] },
        { owner: '' },
      ]) {
        all.push(await told(() => firstOf(door, request)))
      }
      return all
    },
  },
}

const MONITORING: Readonly<Record<string, Case>> = {
  'lists, counts, facets, owners, rates and stories': {
    run: async (node) => {
      const { door, clock } = node
      await ended(node, ['a', 'b'])
      await door.send(ACME, { type: 'RegisterOperation', id: 'on', kind: 'other', labels: { team: 'x=y' } })
      const { monitoring } = door
      // Rows that are not there yet are refused here, and asked for again there.
      await expect.poll(async () => (await monitoring.count({})).type, PATIENCE).toBe('answered')
      const filter = { workspaces: ['w'], labels: { team: 'x=y' } }
      const all: unknown[] = [
        await monitoring.operations({ pageSize: 2 }),
        await monitoring.operations({ filter }),
        await monitoring.operations({ pageToken: 'nonsense' }),
        await monitoring.operations({ pageSize: 0 }),
        await monitoring.count({ filter: { statuses: ['completed'] } }),
        await monitoring.facets({}),
        await monitoring.owners({}),
        await monitoring.story({ ...ACME, id: 'a' }),
        await monitoring.story({ ...ACME, id: 'nobody' }),
        await monitoring.rates({ fromAt: clock.now() - 3_600_000, untilAt: clock.now() + 1, step: 'minute' }),
        await monitoring.rates({ fromAt: 1, untilAt: 0, step: 'minute' }),
      ]
      const left = AbortSignal.abort(new Error('enough'))
      all.push(await told(() => monitoring.count({}, left)))
      return all
    },
  },
}

const CLOSED: Readonly<Record<string, Case>> = {
  'after closing': {
    run: async (node) => {
      const { door } = node
      await ended(node, ['a'])
      await door.send(ACME, { type: 'RegisterOperation', id: 'on', kind: 'k' })
      const waiting = [
        told(() => door.outcome(ACME, 'on')),
        told(() => door.wait(ACME, { mode: 'all', ids: ['on'], waitId: 'w' })),
        told(() => door.completions(ACME, { after: 1, wait: true })),
      ]
      await expect.poll(async () => (await door.overview(ACME)).waits, PATIENCE).toBe(1)
      await expect.poll(async () => (await door.snapshot(ACME, 'on'))?.watchers, PATIENCE).toBe(1)
      await door.close()
      await door.close()
      const sent = await told(() => door.send(ACME, { type: 'RegisterOperation', id: 'b', kind: 'k' }))
      const asked = [
        await told(() => door.snapshot(ACME, 'a')),
        await told(() => door.outcome(ACME, 'a')),
        await told(() => door.overview(ACME)),
        await told(() => door.history(ACME, 'a')),
        await told(() => door.completions(ACME, { after: 0 })),
      ]
      return [
        await Promise.all(waiting),
        (sent as { given: { rejection: { code: string } } }).given.rejection.code,
        asked,
      ]
    },
  },
}

describe.each(Object.entries({ COMMANDS, QUESTIONS, WAITS, LEASES, EVENTS, MONITORING, CLOSED }))(
  'both doors answer alike: %s',
  (_group, cases) => {
    test.each(Object.entries(cases))('%s', async (_name, { options, run }) => {
      const [embedded, http] = await Promise.all(DOORS.map(async (name) => run(await doored(name, options))))
      expect(comparable(http)).toEqual(comparable(embedded))
    })
  },
)

function answerOf(result: Awaited<ReturnType<VerdictDoor['send']>>) {
  if (result.type === 'refused') throw new Error(`refused: ${result.rejection.message}`)
  return result.answer
}

function codeOf(result: Awaited<ReturnType<VerdictDoor['send']>>): string {
  return result.type === 'refused' ? result.rejection.code : 'answered'
}

/** Minted at random. */
function withoutRegistryId({ registryId, ...overview }: Awaited<ReturnType<VerdictDoor['overview']>>) {
  return { ...overview, isOpen: registryId !== undefined }
}

/** Made of the log's own id and of hashes over salts. */
function withoutPlace({ id: _id, cursor: _cursor, source: _source, ...event }: LiveEvent) {
  return event
}

async function eventsOf(door: VerdictDoor, request: Parameters<VerdictDoor['events']>[0], count: number) {
  const left = new AbortController()
  const events: LiveEvent[] = []
  for await (const answer of door.events(request, left.signal)) {
    if (answer.type !== 'events') throw new Error(`met ${answer.type}`)
    events.push(...answer.events)
    if (events.length >= count) left.abort()
  }
  return events
}

async function firstOf(
  door: VerdictDoor,
  request: Parameters<VerdictDoor['events']>[0],
): Promise<EventsAnswer['type'] | unknown> {
  const left = new AbortController()
  try {
    for await (const answer of door.events(request, left.signal))
      return answer.type === 'refused' ? answer : answer.type
    return 'nothing'
  } finally {
    left.abort()
  }
}
