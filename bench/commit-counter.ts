/**
 * How much the product's commits held: batches are counted on their way to the writer thread, appends and events in the
 * file afterwards. An instrument of the bench, so that the floor can be given commits of the same shape.
 */
import { existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { CommitShape } from './floors.ts'

export function commitCounter(path: string): { stop(): CommitShape } {
  const { postMessage } = Worker.prototype
  let commits = 0
  const before = stored(path)
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<Worker['postMessage']>) {
    const [message] = args as [{ type?: unknown }]
    if (message.type === 'append') commits++
    return postMessage.apply(this, args)
  }
  return {
    stop() {
      Worker.prototype.postMessage = postMessage
      const after = stored(path)
      const appends = after.appends - before.appends
      return { appendsPerCommit: appends / commits, eventsPerAppend: (after.events - before.events) / appends }
    },
  }
}

function stored(path: string): { readonly appends: number; readonly events: number } {
  if (!existsSync(path)) return { appends: 0, events: 0 }
  const db = new Database(path, { readonly: true })
  const row = db.prepare('SELECT count(*) AS appends, sum(count) AS events FROM appends').get()
  db.close()
  return row as { appends: number; events: number } // the two columns that are selected
}
