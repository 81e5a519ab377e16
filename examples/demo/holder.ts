/**
 * The process that holds the store: it runs the plan under the limit, waits for the group, and judges whoever fell silent.
 * Killed in the middle and started again it does the very same: what is there is known, what was lost is begun again.
 */
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { OperationRejected, openVerdict, type Verdict } from '../../src/index.ts'
import { commandOf } from './command.ts'
import { judgeStale } from './judge.ts'
import type { FromHolder, ToHolder } from './messages.ts'
import { GRACE_MS, isInGroup, LOST, MAX_CONCURRENT, OWNER, planIn, STALE_AFTER_MS, type Task, WAIT_ID } from './plan.ts'

const [folder = '', life = '1'] = process.argv.slice(2)
const tasks = planIn(folder)
const verdict = await openVerdict(path.join(folder, 'verdict.db'), {
  owner: OWNER,
  actor: `holder-${life}`,
  worker: { host: hostname(), pid: process.pid },
  // The holder judges by hand here, so that every step is seen.
  reconciler: false,
})
const owner = verdict.owner(OWNER)
const graceMs = life === '1' ? 0 : GRACE_MS
const isOver = new AbortController()

const went = new Promise<void>((resolve) => {
  process.on('message', (message: ToHolder) => {
    if (message.type === 'go') resolve()
    else void verdict.operation(message.id).cancel({ reason: 'nobody needs it any longer' })
  })
})

// Who finds no registry opens it with the limit; who comes back finds it.
if ((await owner.overview()).registryId === undefined) await owner.open({ maxConcurrent: MAX_CONCURRENT })
const watching = Promise.all([showing(), judging()])
send({ type: 'ready' })
await went
const group = await running()
const outcomes = await Promise.all([...tasks.map(({ id }) => id), LOST].map((id) => verdict.operation(id).outcome()))
isOver.abort()
await watching
send({ type: 'view', operations: await inOrder() })
const held = await Promise.all((await inOrder()).map(({ id }) => verdict.operations.get(id)))
const operations = held.filter((operation) => operation !== undefined)
const overview = await owner.overview()
send({ type: 'said', text: `all ${outcomes.length} operations have ended` })
await verdict.close()
await new Promise<void>((resolve) => process.send?.({ type: 'done', group, operations, overview }, () => resolve()))
process.disconnect()

/** Each task once: begun when there is room, or left alone when it is there already. The outcomes of the group. */
async function running() {
  const members = tasks.filter(isInGroup)
  let group: ReturnType<Verdict['waitAll']> | undefined
  let missing = members.length
  for (const task of tasks) {
    if ((await verdict.operations.get(task.id)) === undefined) await beginWhenThereIsRoom(task)
    if (isInGroup(task) && --missing === 0) {
      group = verdict.waitAll(
        members.map(({ id }) => id),
        { waitId: WAIT_ID },
      )
      send({ type: 'waiting' })
    }
  }
  return (await group) ?? []
}

/** Full is no failure: a slot comes free with a completion, and none is missed between the refusal and the wait. */
async function beginWhenThereIsRoom(task: Task): Promise<void> {
  for (;;) {
    const { watermark } = await owner.overview()
    try {
      await verdict.start(
        task.kind,
        {
          id: task.id,
          name: task.name,
          policy: { staleAfter: STALE_AFTER_MS, retry: { maxAttempts: task.maxAttempts } },
        },
        commandOf(task, folder),
      )
      return
    } catch (error) {
      if (!(error instanceof OperationRejected) || error.code !== 'max_concurrent_exceeded') throw error
      for await (const _completion of owner.completions({ after: watermark })) break
    }
  }
}

async function judging(): Promise<void> {
  const maxAttempts = new Map(tasks.map((task) => [task.id, task.maxAttempts]))
  while (!isOver.signal.aborted) {
    for (const id of await judgeStale(verdict, OWNER, graceMs, (id) => maxAttempts.get(id) ?? 1)) {
      const task = tasks.find((one) => one.id === id)
      if (task === undefined) continue
      await verdict.resume(id, {}, commandOf(task, folder))
      send({ type: 'said', text: `${task.name}: its worker was lost, a new one took over` })
    }
    await delay(250)
  }
}

async function showing(): Promise<void> {
  while (!isOver.signal.aborted) {
    send({ type: 'view', operations: await inOrder() })
    await delay(100)
  }
}

/** All of them, oldest first: a page holds the whole plan. */
async function inOrder() {
  return [...(await owner.list())].toSorted((one, other) => one.number - other.number)
}

function send(message: FromHolder): void {
  process.send?.(message)
}
