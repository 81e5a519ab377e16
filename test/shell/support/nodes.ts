/** Shells over real stores, by a clock that is moved by hand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { CommandAnswer } from '../../../src/authority/command-answer.ts'
import { fold } from '../../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../../src/authority/registry.ts'
import type { Rejection } from '../../../src/authority/rejections.ts'
import { decodeEvent } from '../../../src/event-store/event-codec.ts'
import type { EventStore, StoredEvent } from '../../../src/event-store/event-store.ts'
import { verifyChain } from '../../../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../../../src/event-store/sqlite.ts'
import { registryStream } from '../../../src/event-store/stream-names.ts'
import type { SenderOptions } from '../../../src/shell/command-door.ts'
import type { Shell } from '../../../src/shell/shell.ts'

export const OWNER = { workspace: 'default', owner: 'alice' }
export const STREAM = registryStream(OWNER)

export { type NodeOptions, openShell } from './open-shell.ts'

/** A directory of its own for one test. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-shell-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export async function openTestSqlite(path = join(testDirectory(), 'log.db')): Promise<EventStore> {
  const store = await openSqliteStore({ path })
  onTestFinished(() => store.close())
  return store
}

/** The answer; a refusal is a failed test. */
export async function answered(
  shell: Shell,
  command: Readonly<Record<string, unknown>>,
  options: SenderOptions = {},
  owner = OWNER,
): Promise<CommandAnswer> {
  const result = await shell.send(owner, command, options)
  if (result.type === 'refused') throw new Error(`${String(command.type)}: ${result.rejection.message}`)
  return result.answer
}

/** The refusal; an answer is a failed test. */
export async function refused(
  shell: Shell,
  command: Readonly<Record<string, unknown>>,
  options: SenderOptions = {},
  owner = OWNER,
): Promise<Rejection> {
  const result = await shell.send(owner, command, options)
  if (result.type === 'answered') throw new Error(`${String(command.type)} was answered`)
  return result.rejection
}

export async function codeOf(
  shell: Shell,
  command: Readonly<Record<string, unknown>>,
  options: SenderOptions = {},
): Promise<string> {
  const result = await shell.send(OWNER, command, options)
  return result.type === 'answered' ? 'answered' : result.rejection.code
}

/** Registered and claimed; its lease epoch. */
export async function running(shell: Shell, id: string, more: Readonly<Record<string, unknown>> = {}): Promise<number> {
  const { leaseEpoch } = await answered(shell, {
    type: 'RegisterOperation',
    id,
    kind: 'test',
    claim: { claimant: { id: 'worker' } },
    ...more,
  })
  if (leaseEpoch === undefined) throw new Error(`${id} was not claimed`)
  return leaseEpoch
}

export async function storedIn(store: EventStore, stream = STREAM): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const event of store.readStream(stream)) events.push(event)
  return events
}

export async function typesIn(store: EventStore, stream = STREAM): Promise<readonly string[]> {
  return (await storedIn(store, stream)).map(({ type }) => type)
}

/** The fold of a stream whose chain is intact. */
export async function foldedFrom(store: EventStore, stream = STREAM): Promise<RegistryState> {
  const events = await storedIn(store, stream)
  const verdict = await verifyChain(events)
  if (verdict.type !== 'intact') throw new Error(verdict.fault.message)
  return fold(EMPTY_REGISTRY, events.map(decodeEvent))
}

/** Lets everything run that waits for nothing but its turn. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise has ended by now, after everything that can run has run. */
export async function hasEnded(promise: Promise<unknown>): Promise<boolean> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  promise.then(over, over)
  await turns()
  return isOver
}
