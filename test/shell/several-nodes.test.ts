import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CommandResult } from '../../src/authority/command-answer.ts'
import { decide } from '../../src/authority/decide.ts'
import { evolve } from '../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../src/authority/registry.ts'
import { plainOf } from '../../src/authority/registry-snapshot.ts'
import { settingsOf } from '../../src/config.ts'
import { decodeEvent } from '../../src/event-store/event-codec.ts'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { systemRandom } from '../../src/runtime/ids.ts'
import { addressCommand, stampCommand } from '../../src/shell/command-stamp.ts'
import { loadRegistry } from '../../src/shell/registry-loader.ts'
import type { Shell } from '../../src/shell/shell.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Fault, faulty } from './support/faulty-store.ts'
import {
  answered,
  codeOf,
  foldedFrom,
  OWNER,
  openShell,
  openTestSqlite,
  STREAM,
  storedIn,
  testDirectory,
  typesIn,
} from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }

type OpenStores = (count: number) => Promise<readonly EventStore[]>

const LOGS: readonly (readonly [string, OpenStores])[] = [
  [
    'in memory',
    async (count) => {
      const log = createMemoryLog()
      return Array.from({ length: count }, () => openMemoryStore({ log }))
    },
  ],
  [
    'in a file',
    async (count) => {
      const path = join(testDirectory(), 'log.db')
      const stores: EventStore[] = []
      for (let i = 0; i < count; i++) stores.push(await openTestSqlite(path))
      return stores
    },
  ],
]

describe.each(LOGS)('two nodes on one log %s', (_, openStores) => {
  async function nodes(count = 2, options: Parameters<typeof openShell>[0] = {}) {
    const stores = await openStores(count)
    return {
      store: stores[0] as EventStore,
      shells: stores.map((store) => openShell({ ...options, store, clock: SYSTEM_CLOCK })),
    }
  }

  test('never exceed the admission limit, and a slot is freed exactly once', async () => {
    const { store, shells } = await nodes(2, { limits: { maxConcurrent: 5 } })
    for (let round = 0; round < 4; round++) {
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, i) => codeOf(shells[i % 2] as Shell, { ...REGISTER, id: `${round}-${i}` })),
      )
      expect(codes.filter((code) => code === 'answered')).toHaveLength(5)
      expect(new Set(codes)).toEqual(new Set(['answered', 'max_concurrent_exceeded']))
      const live = [...(await foldedFrom(store)).operations.values()].filter(({ outcome }) => outcome === undefined)
      expect(live).toHaveLength(5)
      // Both nodes end all of them: one is answered, the other one hears what is so already.
      await Promise.all(live.flatMap(({ id }) => shells.map((shell) => codeOf(shell, { type: 'CancelOperation', id }))))
      expect((await foldedFrom(store)).activeCount).toBe(0)
    }
    let active = 0
    for (const { event } of (await storedIn(store)).map(decodeEvent)) {
      if (event.type === 'OperationRegistered') active++
      if (event.type === 'OperationCancelled') active--
      expect(active).toBeGreaterThanOrEqual(0)
      expect(active).toBeLessThanOrEqual(5)
    }
    for (const shell of shells) await shell.close()
  })

  test('give the same command sent to both, many times, one effect and one answer', async () => {
    const { store, shells } = await nodes()
    const options = { commandId: 'once' }
    const sent = Array.from({ length: 30 }, (_, i) =>
      answered(shells[i % 2] as Shell, { ...REGISTER, claim: {} }, options),
    )
    const answers = await Promise.all(sent)
    const firsts = new Set(
      answers.map(({ operationId, number, leaseEpoch, revision, changed }) =>
        JSON.stringify([operationId, number, leaseEpoch, revision, changed]),
      ),
    )
    expect(firsts.size).toBe(1)
    expect(await typesIn(store)).toEqual(['RegistryOpened', 'OperationRegistered', 'OperationStarted'])
    expect(await codeOf(shells[1] as Shell, { ...REGISTER, kind: 'other' }, options)).toBe('command_id_reused')
    for (const shell of shells) await shell.close()
  })

  test.each([1, 2, 3])('answer random commands as one after the other would (seed %i)', async (seed) => {
    const { store, shells } = await nodes(3, { limits: { maxConcurrent: 6, maxCompleted: 4 } })
    const told = await randomCommands(shells, seed, 400)
    for (const shell of shells) await shell.close()
    await checkAgainst(store, told)
  })
})

test('random commands under a failing log are answered as one after the other would', async () => {
  for (const seed of [11, 12, 13, 14]) {
    const random = seededRandom(seed)
    const log = createMemoryLog()
    const stores = Array.from({ length: 2 }, () => faulty(openMemoryStore({ log }), { withTurns: true }))
    const faults: readonly Fault[] = [
      { type: 'refused', reason: 'full' },
      { type: 'unknown', isStored: true },
      { type: 'unknown', isStored: false },
    ]
    for (const { faults: list } of stores) {
      for (let i = 0; i < 400; i++) if (random() < 0.2) list[i] = faults[Math.floor(random() * 3)] as Fault
      // Places without a fault are passed over by the wrapper as undefined.
      list.length = 400
    }
    const shells = stores.map((store) =>
      openShell({ store, clock: SYSTEM_CLOCK, limits: { maxConcurrent: 6, maxCompleted: 4 } }),
    )
    const told = await randomCommands(shells, seed, 200)
    for (const shell of shells) await shell.close()
    await checkAgainst(openMemoryStore({ log }), told)
  }
}, 120_000)

interface Told {
  readonly command: Readonly<Record<string, unknown>>
  readonly commandId: string
  readonly result: CommandResult
}

/** Each of a few workers sends the next command as soon as it has its answer. */
async function randomCommands(shells: readonly Shell[], seed: number, count: number): Promise<readonly Told[]> {
  const random = seededRandom(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const told: Told[] = []
  let next = 0
  const worker = async (shell: Shell): Promise<void> => {
    while (next < count) {
      const commandId = `command-${next++}`
      const id = random() < 0.3 ? `${pick(ids)}${next}` : pick(ids)
      const command = pick<Readonly<Record<string, unknown>>>([
        { ...REGISTER, id },
        { ...REGISTER, id, key: pick(ids) },
        { ...REGISTER, id, claim: {} },
        { type: 'ProvisioningSucceeded', id },
        { type: 'CompleteOperation', id, leaseEpoch: Math.floor(random() * 40) },
        { type: 'CancelOperation', id },
        { type: 'RequestRetire', id },
        { type: 'FailOperation', id, error: { message: 'no' }, asOperator: true },
        random() < 0.1 ? { type: 'TerminateOwner', reason: 'r' } : { type: 'CollectCompleted' },
        { type: 'BeginWaitAny', ids: [pick(ids)], waitId: `wait-${next}` },
      ])
      told.push({ command, commandId, result: await shell.send(OWNER, command, { commandId }) })
    }
  }
  await Promise.all(shells.flatMap((shell) => Array.from({ length: 4 }, () => worker(shell))))
  return told
}

const UNDECIDED = ['store_full', 'store_unavailable', 'outcome_unknown', 'contention']

/** Every answered command has its own events where it was told, and every refusal is the law's on the state it was told for. */
async function checkAgainst(store: EventStore, told: readonly Told[]): Promise<void> {
  const states: RegistryState[] = []
  const commandAt = new Map<number, string>()
  let state = EMPTY_REGISTRY
  for (const recorded of (await storedIn(store)).map(decodeEvent)) {
    state = evolve(state, recorded)
    states.push(state)
    const { index, count, commandId } = recorded.metadata
    if (index === count - 1) commandAt.set(recorded.revision, commandId)
  }
  expect(plainOf((await loadRegistry(store, STREAM, undefined)).loaded.state)).toEqual(plainOf(state))
  const clock = SYSTEM_CLOCK
  const random = systemRandom()
  const stamps = { ...settingsOf(), clock, random, kinds: {}, limits: state.limits }
  const answeredCommands = new Set<string>()
  for (const { command, commandId, result } of told) {
    if (result.type === 'answered' && result.answer.changed && result.answer.joined !== true) {
      expect(commandAt.get(result.answer.revision)).toBe(commandId)
      expect(answeredCommands.has(commandId)).toBe(false)
      answeredCommands.add(commandId)
    }
    if (result.type === 'answered' || UNDECIDED.includes(result.rejection.code)) continue
    const on = result.place.revision === -1 ? EMPTY_REGISTRY : (states[result.place.revision] as RegistryState)
    // Commands are checked at the door; here they come from the list above.
    const stamped = stampCommand(addressCommand(command as never, `again-${commandId}`, stamps), on, stamps)
    if (!('resolved' in stamped)) throw new Error('no policy is given here')
    expect(decide(on, stamped)).toMatchObject({ type: 'rejected', rejection: { code: result.rejection.code } })
  }
  expect(answeredCommands.size).toBeGreaterThan(20)
}
