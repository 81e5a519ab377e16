/**
 * A thread that is ended from outside while it imports a module has taken its process with it (nodejs/node#53238): seldom, and
 * by a check of V8 that says nothing. So every thread ends by itself, when it has nothing under way.
 */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MAIN = path.join(import.meta.dirname, 'support/closed-while-importing-main.ts')

test('nodes that are closed while their threads import end every thread by its own hand, whatever a module left open', {
  timeout: 120_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN])
  const { threads, ended, otherwise } = JSON.parse(stdout)
  expect({ ended, otherwise }).toEqual({ ended: threads, otherwise: [] })
  expect(threads).toBeGreaterThanOrEqual(12)
})
