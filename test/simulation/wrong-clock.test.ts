/** A node whose clock is minutes wrong, among others whose clocks are right: what it writes must not cost anybody's work. */
import { describe, expect, test } from 'vitest'
import { KIND } from '../nodes/support/node-options.ts'
import { WORKSPACE } from '../nodes/support/node-protocol.ts'
import { Chance } from './support/chance.ts'
import { FAIR, SimulatedLog } from './support/simulated-log.ts'
import { SimulatedNode } from './support/simulated-node.ts'
import { SimulatedTime } from './support/simulated-time.ts'
import { POLICY } from './support/workers.ts'

const OWNER = { workspace: WORKSPACE, owner: 'acme' }
const MINUTE = 60_000
const SWEEP_MS = 5_000

async function nodes(wrongByMs: number) {
  const time = new SimulatedTime()
  const chance = new Chance(1)
  const log = new SimulatedLog(time, chance, undefined)
  log.weather = FAIR
  const parts = { time, log, chance, planted: undefined, warn: () => {} }
  const right = new SimulatedNode('right', 0, parts)
  const rightToo = new SimulatedNode('right-too', 0, parts)
  const wrong = new SimulatedNode('wrong', wrongByMs, parts)
  for (const node of [right, rightToo, wrong]) node.start()
  const until = async (isOver: () => boolean) => {
    while (!isOver() && (await time.step()));
  }
  const pass = (ms: number) => {
    const end = time.now + ms
    return until(() => time.now >= end)
  }
  const send = async (node: SimulatedNode, command: Readonly<Record<string, unknown>>) => {
    const sent: { result?: Awaited<ReturnType<typeof node.shell.send>> } = {}
    void node.shell.send(OWNER, command).then((result) => {
      sent.result = result
    })
    await until(() => sent.result !== undefined)
    if (sent.result?.type !== 'answered') throw new Error(sent.result?.rejection.message)
    return sent.result.answer
  }
  const types = () => log.events.filter(({ stream }) => stream.startsWith('registry')).map(({ type }) => type)
  // The log is not empty, and time has passed in it.
  await send(right, { type: 'OpenRegistry' })
  await pass(MINUTE)
  return { right, rightToo, wrong, pass, send, types }
}

const started = (id: string) => ({
  type: 'RegisterOperation',
  id,
  kind: KIND,
  policy: { ...POLICY, maxRuntimeMs: 30 * MINUTE, retry: { maxAttempts: 1 } },
  claim: { claimant: { id: 'worker' } },
})

describe('a node whose clock is four minutes behind', () => {
  test('starts work that the others leave alone for as long as its worker speaks, and no longer', async () => {
    const { right, rightToo, wrong, pass, send, types } = await nodes(-4 * MINUTE)
    await send(right, started('of nobody'))
    const other = await send(rightToo, started('other'))
    const failed = () => types().filter((type) => type === 'OperationFailed').length
    // Word of somebody whose clock is right comes just before.
    const speakOf = async (id: string, node: SimulatedNode, leaseEpoch: number | undefined) => {
      await send(rightToo, { type: 'ReportProgress', id: 'other', leaseEpoch: other.leaseEpoch })
      await send(node, { type: 'ReportProgress', id, leaseEpoch })
    }
    for (let i = 0; i < 30; i++) {
      const { leaseEpoch } = await send(wrong, started(`a-${i}`))
      await speakOf(`a-${i}`, wrong, leaseEpoch)
      await pass(10_000)
      // The one that nobody works on, if anybody is judged meanwhile.
      expect(failed()).toBeLessThanOrEqual(1)
      await send(wrong, { type: 'CompleteOperation', id: `a-${i}`, leaseEpoch })
    }
    await send(wrong, started('last'))
    await pass(POLICY.startGraceMs + 4 * MINUTE + 4 * SWEEP_MS)
    expect(failed()).toBe(3)
  })
})

describe('a node whose clock is four minutes ahead', () => {
  test('ends nobody’s work that has just begun elsewhere', async () => {
    const { right, pass, send, types } = await nodes(4 * MINUTE)
    const { leaseEpoch } = await send(right, started('a'))
    for (let i = 0; i < 30; i++) {
      await send(right, { type: 'RecordHeartbeat', id: 'a', leaseEpoch })
      await pass(10_000)
    }
    expect(types().filter((type) => type === 'OperationFailed')).toEqual([])
    await pass((POLICY.staleAfterMs * 5) / 4 + SWEEP_MS)
    expect(types().filter((type) => type === 'OperationFailed')).toHaveLength(1)
  })
})
