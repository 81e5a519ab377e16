/**
 * The main job on real input: real commands as operations under a limit, while what runs them is killed. `npm run demo`.
 *
 *     this process -+- holder: opens the store, runs the plan ---- killed in the middle, started again
 *                   '- worker: one operation, on the same file --- killed, and given up by the holder
 *
 * Everything it shows is checked at the end; exit code 0 only when all of it holds.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { HistoryEntry, ListedOperation, OperationSnapshot } from '../src/index.ts'
import { Checks } from './demo/checks.ts'
import { Child } from './demo/child.ts'
import { type Done, HolderProcess } from './demo/holder-process.ts'
import { CANCELLED, FAILING, isInGroup, LONG, LOST, MAX_CONCURRENT, OWNER, planIn } from './demo/plan.ts'
import { replay } from './demo/replay.ts'
import { View } from './demo/view.ts'

/** Of the plan, before the holder is killed. */
const ENDED_BEFORE_KILL = 8

const folder = mkdtempSync(path.join(tmpdir(), 'verdict-demo-'))
const view = new View(process.stdout)
const checks = new Checks()
try {
  const { done, killed } = await performed()
  await checked(done, killed)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`\n${checks.held} checks held, ${checks.failed} failed`)
process.exitCode = checks.failed === 0 ? 0 : 1

interface Killed {
  readonly worker: unknown
  readonly holder: unknown
  /** What was at work in the holder when it died, as the log has it. */
  readonly atWork: readonly string[]
}

/** Runs all of it. Ends with what the second holder knows in the end, and what died of what. */
async function performed(): Promise<{ readonly done: Done; readonly killed: Killed }> {
  view.say(`a fresh store in ${folder}`)
  const first = new HolderProcess(folder, '1', view)
  await first.until(({ isReady }) => isReady)
  const worker = new Child('worker.ts', [folder], () => {})
  await first.until(({ operations }) => hasProgress(operations, LOST))
  const workerDiedOf = await worker.kill()
  view.say(`SIGKILL for the worker of "${LOST}"`)

  first.child.tell({ type: 'go' })
  await first.until(({ operations }) => hasProgress(operations, CANCELLED))
  view.say(`a cancel is asked for "${CANCELLED}"`)
  first.child.tell({ type: 'cancel', id: CANCELLED })
  await first.until(
    (holder) =>
      holder.isWaiting && ended(holder.operations) >= ENDED_BEFORE_KILL && hasProgress(holder.operations, LONG),
  )
  const holderDiedOf = await first.child.kill()
  view.say('SIGKILL for the process that holds the store')

  const second = new HolderProcess(folder, '2', view)
  const { operations } = await second.until((holder) => holder.isReady && holder.operations.length > 0)
  const atWork = operations.filter(({ id, status }) => status === 'running' && id !== LOST).map(({ id }) => id)
  view.say(`started again: it goes on from the log, which knows of ${atWork.length} operations without a worker`)
  second.child.tell({ type: 'go' })
  const { done } = await second.until((holder) => holder.done !== undefined)
  await second.child.ended
  if (done === undefined) throw new Error('the second holder ended without a last word')
  return { done, killed: { worker: workerDiedOf, holder: holderDiedOf, atWork } }
}

async function checked({ operations, overview, group }: Done, killed: Killed): Promise<void> {
  const retold = LONG
  const again = await replay(folder, OWNER, retold)
  const plan = planIn(folder)
  const by = new Map(operations.map((operation) => [operation.id, operation]))
  const statuses = new Map(operations.map(({ id, status }) => [id, status]))

  console.log('\nOutcomes\n')
  for (const operation of operations) console.log(`  ${outcomeLine(operation)}`)
  console.log(`\nThe story of "${retold}"\n`)
  for (const entry of again.story) console.log(`  ${storyLine(entry, again.story[0])}`)
  console.log('\nThe log, folded again\n')
  for (const { stream, revision, hash } of again.report.heads) console.log(`  ${stream} ${revision} ${hash}`)
  console.log(`  ${again.report.events} events, ${again.report.faults.length} faults\n`)

  checks.that('at least twenty real commands completed', countOf(operations, 'completed') >= 20)
  checks.equal(
    'every operation of the plan ended as it should',
    [...plan.map(({ id }) => id), LOST].map((id) => [id, statuses.get(id)]),
    [
      ...plan.map(({ id }) => [id, id === CANCELLED ? 'cancelled' : id === FAILING ? 'failed' : 'completed']),
      [LOST, 'failed'],
    ],
  )
  checks.that('the limit of four was reached and never passed', again.activeMost === MAX_CONCURRENT)
  checks.equal(
    'a wait that was begun before the kill was answered after it, in order',
    group.map(({ status }) => status),
    plan.filter(isInGroup).map(() => 'completed'),
  )
  checks.equal('the worker died of SIGKILL', killed.worker, 'SIGKILL')
  checks.equal('the holder of the store died of SIGKILL', killed.holder, 'SIGKILL')
  checks.that('an operation that is waited for was at work in it', killed.atWork.includes(LONG))
  checks.that(
    'each of them was given up with evidence, begun again by the second life, and completed',
    killed.atWork.every((id) => by.get(id)?.attempt === 2 && by.get(id)?.status === 'completed'),
  )
  const lost = by.get(LOST)?.outcome
  checks.equal(
    'the operation of the killed worker failed, with the reason and the evidence',
    [lost?.status === 'failed' && lost.reasonCode, lost?.status === 'failed' && lost.reconciliation?.evidence.rule],
    ['run.stale_running', 'sign'],
  )
  const failure = by.get(FAILING)?.outcome
  checks.equal('the failing command says how', failure?.status === 'failed' && failure.error.code, 'exit_1')
  const cancel = by.get(CANCELLED)
  checks.equal('the cancelled one says why', cancel?.outcome, {
    status: 'cancelled',
    reason: 'nobody needs it any longer',
  })
  checks.that(
    'the commands told their progress',
    operations.every(({ id, progress }) => id === FAILING || progress.count > 0),
  )
  checks.that(
    'what was compressed is what it was compressed from',
    plan.every(
      ({ makes }) => makes === undefined || gunzipSync(readFileSync(makes.file)).equals(readFileSync(makes.from)),
    ),
  )
  checks.equal('one terminal event for each operation, and no second one', again.terminalEvents, operations.length)
  checks.equal('the chain of hashes holds from the first event to the last', again.report.faults, [])
  checks.equal('the log folded again is what the living process knew', again.operations, operations.map(viewIn))
  checks.equal('to the last revision', again.revision, overview.revision)
}

function hasProgress(operations: readonly ListedOperation[], id: string): boolean {
  return operations.some((operation) => operation.id === id && operation.progress.count > 0)
}

function ended(operations: readonly ListedOperation[]): number {
  return operations.filter(({ outcome }) => outcome !== undefined).length
}

function countOf(operations: readonly OperationSnapshot[], status: OperationSnapshot['status']): number {
  return operations.filter((operation) => operation.status === status).length
}

function viewIn({ workspace: _workspace, owner: _owner, watchers: _watchers, ...view }: OperationSnapshot) {
  return view
}

function outcomeLine({ name, status, attempt, elapsedMs, outcome, progress }: OperationSnapshot): string {
  const why = outcome?.status === 'failed' ? outcome.error.message : (progress.message ?? '')
  const took = `${(elapsedMs / 1_000).toFixed(1)}s`
  return `${status.padEnd(10)} ${name.padEnd(34)} ${String(attempt).padStart(2)} ${took.padStart(6)}  ${why}`
}

function storyLine({ revision, event, metadata }: HistoryEntry, first: HistoryEntry | undefined): string {
  const after = `+${((metadata.at - (first?.metadata.at ?? metadata.at)) / 1_000).toFixed(2)}s`
  const {
    id: _id,
    number: _number,
    kindFacts: _kind,
    policy: _policy,
    ...facts
  } = event.facts as Record<string, unknown>
  const told = JSON.stringify(facts)
  return `${String(revision).padStart(5)} ${after.padStart(8)} ${metadata.actor.padEnd(9)} ${event.type.padEnd(20)} ${told.slice(0, 150)}`
}
