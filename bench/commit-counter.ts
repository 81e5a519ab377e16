/**
 * How much the product's commits held: batches are counted on their way to the writer thread, appends and events in the
 * file afterwards. An instrument of the bench, so that the floor can be given commits of the same shape.
 */
import { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { CommitShape } from './floors.ts'

export function commitCounter(path: string): { stop(): CommitShape } {
  const { postMessage } = Worker.prototype
  let commits = 0
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<Worker['postMessage']>) {
    const [message] = args as [{ type?: unknown }]
    if (message.type === 'append') commits++
    return postMessage.apply(this, args)
  }
  return {
    stop() {
      Worker.prototype.postMessage = postMessage
      const db = new Database(path, { readonly: true })
      const row = db.prepare('SELECT count(*) AS appends, sum(count) AS events FROM appends').get()
      db.close()
      // The two columns that are selected.
      const { appends, events } = row as { appends: number; events: number }
      return { appendsPerCommit: appends / commits, eventsPerAppend: events / appends }
    },
  }
}
