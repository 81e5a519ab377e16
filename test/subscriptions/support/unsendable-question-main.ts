/** Asks a thread what can't be sent, says what came of it, and has nothing more to do. */
import { Worker } from 'node:worker_threads'
import { ThreadCaller } from '../../../src/subscriptions/thread-calls.ts'

/** Answers nothing, and keeps its process only while somebody asks. */
const DEAF = `
  const { parentPort } = require('node:worker_threads')
  parentPort.on('message', () => {})
  parentPort.postMessage({ type: 'loaded' })
`

const caller = new ThreadCaller(new Worker(DEAF, { eval: true }))
await caller.call('ask', () => 1).catch(({ name }) => console.log(name))
