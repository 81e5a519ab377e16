import { expect, test } from 'vitest'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { randomSalts } from '../../src/event-store/event-codec.ts'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { answered, codeOf, foldedFrom, OWNER, openShell, refused, running } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }

/** Breaks what resolving a kind rests on: nobody expects one to throw when it is read. */
const BROKEN_KINDS: KindDefinitions = {
  get broken(): never {
    throw new Error('a broken assumption')
  },
}

test('a command whose decision throws is refused by name and logged, and its registry goes on', async () => {
  const log = new RecordingLog()
  const store = openMemoryStore()
  const shell = openShell({ store, log, kinds: BROKEN_KINDS })
  const together = [
    codeOf(shell, { ...REGISTER, id: 'before' }),
    refused(shell, { ...REGISTER, id: 'x', kind: 'broken' }, { commandId: 'the-one' }),
    codeOf(shell, { ...REGISTER, id: 'after' }),
  ] as const
  expect(await Promise.all([together[0], together[2]])).toEqual(['answered', 'answered'])
  expect(await together[1]).toMatchObject({
    code: 'internal_error',
    facts: { command: 'RegisterOperation', operationId: 'x', retryable: false },
  })
  expect(await codeOf(shell, { ...REGISTER, id: 'later' })).toBe('answered')
  expect(log.lines).toEqual([
    {
      facts: {
        stream: expect.any(String),
        command: 'RegisterOperation',
        commandId: 'the-one',
        error: expect.stringContaining('a broken assumption'),
      },
      message: 'a command could not be decided: a defect',
    },
  ])
  expect([...(await foldedFrom(store)).operations.values()].map(({ id }) => id).sort()).toEqual([
    'after',
    'before',
    'later',
  ])
})

test('a command that throws while others wait to be decided again leaves none of them behind', async () => {
  const shell = openShell({ log: new RecordingLog(), kinds: BROKEN_KINDS })
  // All of them wait for their registry to be loaded, and are decided in one go.
  const codes = await Promise.all(
    ['a', 'broken', 'b', 'broken', 'c'].map((kind, index) =>
      codeOf(shell, { ...REGISTER, id: `${index}`, kind: kind === 'broken' ? kind : 'test' }),
    ),
  )
  expect(codes).toEqual(['answered', 'internal_error', 'answered', 'internal_error', 'answered'])
})

test('an accepted command that can not be written down leaves nothing of itself in what is pending', async () => {
  const log = new RecordingLog()
  const store = openMemoryStore()
  const salts = randomSalts()
  let saltsUntilFault = Number.POSITIVE_INFINITY
  const shell = openShell({
    store,
    log,
    salts: () => {
      if (saltsUntilFault-- === 0) throw new Error('no salt')
      return salts()
    },
  })
  await running(shell, 'a')
  saltsUntilFault = 1
  // A registration with a claim has two events: the second one is not to be had.
  expect(await codeOf(shell, { ...REGISTER, id: 'b', claim: {} })).toBe('internal_error')
  await answered(shell, { ...REGISTER, id: 'b' })
  const state = await foldedFrom(store)
  expect([...state.operations.values()].map(({ id, status }) => [id, status]).sort()).toEqual([
    ['a', 'running'],
    ['b', 'provisioning'],
  ])
  expect(log.lines).toHaveLength(1)
})

test('a heartbeat whose decision throws is refused like any other command', async () => {
  let isBroken = false
  const log = new RecordingLog()
  const clock = {
    ...SYSTEM_CLOCK,
    now: () => {
      if (isBroken) throw new Error('no time')
      return 1_000
    },
  }
  const shell = openShell({ clock, log })
  const leaseEpoch = await running(shell, 'a')
  const beat = { type: 'RecordHeartbeat', id: 'a', leaseEpoch }
  isBroken = true
  const broken = shell.send(OWNER, beat, { commandId: 'beat' })
  isBroken = false
  expect(await broken).toMatchObject({ type: 'refused', rejection: { code: 'internal_error' } })
  expect(await codeOf(shell, beat)).toBe('answered')
})
