import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { Lease } from '../../projections/lease.ts'
import { isHolderGone, newLeaseHolder } from '../../projections/lease-holder.ts'
import { openReadDatabase } from '../../projections/read-database.ts'

const HOLDER = path.resolve(import.meta.dirname, '../../projections/lease-holder.ts')
const TIMES = { now: 1, monotonicNow: 1 }

/** The name of a process that lives until it is killed. */
async function otherProcess() {
  const script = `import { newLeaseHolder } from ${JSON.stringify(HOLDER)}; console.log(newLeaseHolder()); setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  const [holder] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { holder, kill }
}

test.runIf(process.platform === 'linux')(
  'a lease is free as soon as the process that holds it was killed',
  async () => {
    const database = openReadDatabase(':memory:')
    onTestFinished(() => database.close())
    const { holder, kill } = await otherProcess()
    expect(new Lease(database, 'follow', `${holder}-0`, 60_000).hold(TIMES)).toBe(true)
    const ours = new Lease(database, 'follow', newLeaseHolder(), 60_000)
    expect(ours.hold(TIMES)).toBe(false)
    await kill()
    expect(ours.hold(TIMES)).toBe(true)
  },
)

test('of two holders of one process neither is gone', () => {
  const [one, other] = [newLeaseHolder(), newLeaseHolder()]
  expect(one).not.toBe(other)
  expect([isHolderGone(one), isHolderGone(other)]).toEqual([false, false])
})

test.runIf(process.platform === 'linux')('a process id that was used again is another process', () => {
  const [boot, namespace, pid, start, random] = newLeaseHolder().split('/')
  expect(isHolderGone([boot, namespace, pid, Number(start) - 1, random].join('/'))).toBe(true)
})

test.each(['somebody', 'another-boot/pid:[1]/999999999/1/x', '//999999999/1/x'])(
  'a name that says nothing about a process of ours is not known to be gone: %s',
  (holder) => {
    expect(isHolderGone(holder)).toBe(false)
  },
)
