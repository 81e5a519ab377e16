/**
 * The process that is killed: W1 load (register, claim, complete) on an embedded log, one line on standard output for each
 * acknowledged command, written before anything else happens. Arguments: file, name of the run.
 */
import { writeSync } from 'node:fs'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { openSnapshotCache } from '../../src/event-store/sqlite-snapshot-cache.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { openShell } from '../shell/support/open-shell.ts'

const REGISTRIES = 8
const IN_FLIGHT = 48

const [path = '', run = ''] = process.argv.slice(2)
const shell = openShell({
  store: await openSqliteStore({ path }),
  snapshots: openSnapshotCache(`${path}-snapshots`),
  clock: SYSTEM_CLOCK,
  settings: { snapshotEvents: 200 },
})
let next = 0
tell('ready')
await Promise.all(Array.from({ length: IN_FLIGHT }, work))

async function work(): Promise<never> {
  for (;;) {
    const i = next++
    const id = `${run}-${i}`
    await acknowledged(i, { type: 'RegisterOperation', id, kind: 'crash', input: { text: 'x'.repeat(280) } }, `${id}-r`)
    const { leaseEpoch } = await acknowledged(i, { type: 'ProvisioningSucceeded', id }, `${id}-s`)
    await acknowledged(i, { type: 'CompleteOperation', id, leaseEpoch, result: { i } }, `${id}-c`)
  }
}

async function acknowledged(i: number, command: Readonly<Record<string, unknown>>, commandId: string) {
  const owner = `owner-${i % REGISTRIES}`
  const result = await shell.send({ workspace: 'default', owner }, command, { commandId })
  if (result.type === 'refused') throw new Error(result.rejection.message)
  tell(`${owner} ${result.answer.revision} ${commandId}`)
  return result.answer
}

function tell(line: string): void {
  for (let bytes = Buffer.from(`${line}\n`); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
