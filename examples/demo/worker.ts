/** A worker in a process of its own, on the same file: it claims an operation, works, and is killed before it can say a word. */
import { hostname } from 'node:os'
import path from 'node:path'
import { openVerdict } from '../../src/index.ts'
import { commandOf } from './command.ts'
import { lostTask, OWNER, STALE_AFTER_MS } from './plan.ts'

const [folder = ''] = process.argv.slice(2)
const task = lostTask(folder)
const verdict = await openVerdict(path.join(folder, 'verdict.db'), {
  owner: OWNER,
  actor: 'worker',
  worker: { host: hostname(), pid: process.pid },
  // The holder judges by hand here, so that every step is seen.
  reconciler: false,
})
const options = { id: task.id, name: task.name, policy: { staleAfter: STALE_AFTER_MS } }
await (await verdict.start(task.kind, options, commandOf(task, folder))).outcome()
