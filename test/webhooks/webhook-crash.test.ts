import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { Receiver } from './support/receiver.ts'
import { SECRET } from './support/webhook-rig.ts'

const MAIN = path.resolve(import.meta.dirname, 'support/sending-main.ts')
const ROUNDS = 4
const ENDS_PER_ROUND = 15

describe('a process that is killed while it tells others', () => {
  test('loses nothing: each acknowledged end is put once and comes at least once', { timeout: 300_000 }, async () => {
    const log = path.join(freshFolder(), 'verdict.db')
    const receiver = await Receiver.started()
    let answers = 0
    // Some fail, so that there is always something to try again when the process dies.
    receiver.answer = (_request, response) => response.writeHead(answers++ % 3 === 0 ? 500 : 204).end()
    const acknowledged: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, [MAIN, log, receiver.url, SECRET], { stdio: ['ignore', 'pipe', 'inherit'] })
      onTestFinished(() => kill(child))
      const before = acknowledged.length
      await new Promise<void>((resolve) => {
        createInterface({ input: child.stdout }).on('line', (id) => {
          acknowledged.push(id)
          if (acknowledged.length >= before + ENDS_PER_ROUND) resolve()
        })
      })
      await kill(child)
    }
    receiver.status(204)
    const endpoint = {
      id: 'ends',
      url: receiver.url,
      secrets: [SECRET],
      types: ['verdict.operation.completed'],
      allowPrivateAddresses: true,
    }
    await openedAt(log, { webhooks: { endpoints: [endpoint] }, settings: { followLeaseMs: 300 } })
    const db = new Database(`${log}-webhooks`, { readonly: true })
    onTestFinished(() => void db.close())
    await vi.waitFor(
      () => {
        const came = new Set(receiver.received.map(({ event }) => event.subject))
        expect(acknowledged.filter((id) => !came.has(id))).toEqual([])
        expect(db.prepare(`SELECT count(*) FROM deliveries WHERE standing <> 'delivered'`).pluck().get()).toBe(0)
      },
      { timeout: 120_000, interval: 50 },
    )
    const twice = db.prepare('SELECT message FROM deliveries GROUP BY endpoint, message HAVING count(*) > 1').all()
    expect(twice).toEqual([])
    expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS * ENDS_PER_ROUND)
  })
})

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
