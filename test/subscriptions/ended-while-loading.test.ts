/**
 * Node ends the whole process where a thread is ended in the middle of loading a library of machine code, and a program that
 * opens a log may be done with it at once. So whoever ends a thread waits until it has said that it is past that.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { ThreadCaller } from '../../src/subscriptions/thread-calls.ts'

/** Says that everything is loaded when it is let, and notes it before. */
const LOADING = `
  const { parentPort, workerData } = require('node:worker_threads')
  const [go, isLoaded] = [0, 1]
  Atomics.wait(workerData, go, 0)
  Atomics.store(workerData, isLoaded, 1)
  parentPort.postMessage({ type: 'loaded' })
  setInterval(() => {}, 1_000)
`

test('a thread is not ended before everything of machine code is loaded in it', async () => {
  const marks = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(LOADING, { eval: true, workerData: marks })
  const caller = new ThreadCaller(worker)
  await new Promise((resolve) => worker.once('online', resolve))
  const ended = caller.end(undefined, 0)
  Atomics.store(marks, 0, 1)
  Atomics.notify(marks, 0)
  await ended
  expect(Atomics.load(marks, 1)).toBe(1)
})

test('a thread that ended by itself before is not waited for', async () => {
  const caller = new ThreadCaller(new Worker('process.exit(1)', { eval: true }))
  await expect(caller.call('health', undefined)).rejects.toMatchObject({ code: 'read_side_failed' })
  await caller.end()
})

test('a question that can not be sent to a thread is thrown, and keeps no process', () => {
  const asking = path.join(import.meta.dirname, 'support/unsendable-question-main.ts')
  expect(execFileSync(process.execPath, [asking], { encoding: 'utf8', timeout: 30_000 })).toBe('DataCloneError\n')
})
