import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach } from 'vitest'
import type { EmbeddedVerdict } from '../../../src/app/embedded-verdict.ts'
import { MEMORY_LOCATION } from '../../../src/app/log-of-node.ts'
import type { OpenOptions } from '../../../src/app/open-options.ts'
import { openNode, openVerdict } from '../../../src/app.ts'
import type { VerdictDoor } from '../../../src/client/door.ts'
import { OperationRejected } from '../../../src/client/operation-errors.ts'
import { Verdict } from '../../../src/client/verdict.ts'
import { RecordingLog } from '../../support/recording-log.ts'

/** The stores that every promise of the API is held on. */
export const STORES = ['memory', 'sqlite'] as const
export type Store = (typeof STORES)[number]

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** The embedded API over a fresh store, closed when the test is over. */
export async function opened(store: Store = 'memory', options: OpenOptions = {}): Promise<EmbeddedVerdict> {
  return openedAt(store === 'memory' ? MEMORY_LOCATION : path.join(freshFolder(), 'verdict.db'), options)
}

export async function openedAt(location: string, options: OpenOptions = {}): Promise<EmbeddedVerdict> {
  const verdict = await openVerdict(location, { log: new RecordingLog(), ...options })
  cleanups.push(() => verdict.close({ grace: 0 }))
  return verdict
}

/** The API over a door that was changed on the way: what it passes on is the real one's. */
export async function openedThrough(
  change: (door: VerdictDoor) => Partial<VerdictDoor>,
  options: OpenOptions = {},
): Promise<Verdict> {
  const { door } = await openNode(MEMORY_LOCATION, options)
  const verdict = new Verdict({ ...door, ...change(door) }, { log: new RecordingLog(), ...options })
  cleanups.push(() => verdict.close({ grace: 0 }))
  return verdict
}

export function freshFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-test-'))
  // A process that is about to be ended may write into it while it goes.
  cleanups.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  return folder
}

/** The refusal that a call ends with. */
export async function refusalOf(call: Promise<unknown> | (() => Promise<unknown>)): Promise<OperationRejected> {
  try {
    await (typeof call === 'function' ? call() : call)
  } catch (error) {
    if (error instanceof OperationRejected) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** What a promise was rejected with. */
export async function thrownBy(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** A function for an operation that works until it is aborted, and follows. */
export function untilAborted({ signal }: { readonly signal: AbortSignal }): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}
