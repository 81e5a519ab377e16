import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { atTheEnd, eventually, freshFolder, healthOf, openedNode, tallies } from './support/read-side-node.ts'

const MAIN = path.join(import.meta.dirname, 'support', 'following-process.ts')

class FollowingProcess {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(file: string) {
    this.#child = spawn(process.execPath, [MAIN, file], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin?.on('error', () => {})
    if (this.#child.stdout === null) throw new Error('no output')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    atTheEnd(() => this.kill())
  }

  async hear(): Promise<Readonly<Record<string, unknown>>> {
    const { done, value } = await this.#lines.next()
    if (done) throw new Error('the process has ended')
    return JSON.parse(value)
  }

  ask(line: string): Promise<Readonly<Record<string, unknown>>> {
    this.#child.stdin?.write(`${line}\n`)
    return this.hear()
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}

test('of several processes on one file exactly one follows, and another takes over within seconds when it is killed', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const first = new FollowingProcess(file)
  await first.hear()
  await first.ask('register x k')
  await eventually(
    () => first.ask('health'),
    ({ status }) => status === 'following',
  )
  const second = new FollowingProcess(file)
  await second.hear()
  await second.ask('register y k')
  for (let i = 0; i < 20; i++) {
    expect((await second.ask('health')).status).toBe('standby')
    expect((await first.ask('health')).status).toBe('following')
  }
  await first.kill()
  const { position } = await second.ask('register z k')
  const health = await eventually(
    () => second.ask('health'),
    (told) => told.status === 'following' && told.position === position,
  )
  expect(health.parked).toEqual([])
  const node = await openedNode(file)
  expect(await tallies(node, BigInt(String(position)))).toEqual({ k: 3 })
  expect((await healthOf(node)).status).toBe('standby')
  expect((await node.readSide.check('tally', undefined)).differences).toEqual([])
})

test('a process that is killed again and again while it follows leaves rows that are what the log gives', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  for (let round = 0; round < 4; round++) {
    const process = new FollowingProcess(file)
    await process.hear()
    for (let i = 0; i < 20; i++) await process.ask(`register id-${round}-${i} k`)
    await process.kill()
  }
  const node = await openedNode(file, { settings: { followLeaseMs: 1_000 } })
  expect(await tallies(node, await node.store.end())).toEqual({ k: 80 })
  for (const name of ['tally', 'operation-index']) {
    expect((await node.readSide.check(name, undefined)).differences).toEqual([])
  }
})
